// A global function gains an alias that comes first among its names.
//# expect: function f alias
__attribute__((noinline)) int f(int x) { return x * 3; }
#ifdef AFTER
int a(int) __attribute__((alias("f")));
#endif
int g(int x) { return f(x) + 1; }
