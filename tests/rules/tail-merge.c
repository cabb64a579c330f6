// A string may be the end of another: it changes alone, and who names only the longer one does not.
//# expect: function f changed strings
void use(const char *);
void g(void) { use("a long foobar"); }
#ifdef AFTER
void f(void) { use("fooba2"); }
#else
void f(void) { use("foobar"); }
#endif
