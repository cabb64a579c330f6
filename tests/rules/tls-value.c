// A thread-local variable's initial value.
//# expect: data t changed content read by f
//# not: kernel
#ifdef AFTER
__thread int t = 5;
#else
__thread int t = 4;
#endif
__thread int u = 7;
int f(void) { return t++; }
int g(void) { return u++; }
