// A static function gains a global alias that comes first among its names: its callers are the same.
//# expect: function f alias
//# expect: function f binding
static __attribute__((noinline, used)) int f(int x) { return x * 3; }
#ifdef AFTER
int a(int) __attribute__((alias("f")));
#endif
int g(int x) { return f(x) + 1; }
int h(int x) { return f(x) + 2; }
