// A path that somebody wrote, to a file of the source's own name: one function names another, one keeps it.
//# expect: function f changed strings
void use(const char *);
void g(void) { use("/one/written-path.c"); }
#ifdef AFTER
void f(void) { use("/two/written-path.c"); }
#else
void f(void) { use("/one/written-path.c"); }
#endif
