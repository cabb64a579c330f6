// Thread-local variables by each way to reach them: another one is read.
//# expect: function exec changed references
//# expect: function dynamic changed references
//# not: kernel
#define MODEL(model) __attribute__((tls_model(model)))
extern __thread int one MODEL("initial-exec"), other MODEL("initial-exec");
static __thread int first MODEL("local-dynamic"), second MODEL("local-dynamic") = 3;
int both(void) { return first++ + second++; }
int many(void) { return one + other; }
#ifdef AFTER
int exec(void) { return other; }
int dynamic(void) { return second; }
#else
int exec(void) { return one; }
int dynamic(void) { return first; }
#endif
