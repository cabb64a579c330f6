// An initialiser that is copied from nameless bytes differs in its last element.
//# expect: function f changed constants | function f changed code
struct s { long v[24]; };
void use(struct s *);
#ifdef AFTER
#define LAST 25
#else
#define LAST 24
#endif
void f(void) { struct s x = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, LAST}}; use(&x); }
void g(void) { struct s x = {{9, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 90}}; use(&x); }
