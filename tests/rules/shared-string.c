// Two functions share a string; one of them wants another.
//# expect: function f changed strings
void use(const char *);
void g(void) { use("shared"); }
#ifdef AFTER
void f(void) { use("sharper"); }
#else
void f(void) { use("shared"); }
#endif
