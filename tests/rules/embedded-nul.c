// Behind an embedded NUL a string goes on.
//# expect: function f changed constants
void use(const void *);
#ifdef AFTER
void f(void) { use("abc\0deg"); }
#else
void f(void) { use("abc\0def"); }
#endif
void g(void) { use("abc"); use("abc\0xyz"); }
