// An alias leaves one function and joins another.
//# expect: function f alias
//# expect: function g alias
int f(int x) { return x * 3; }
int g(int x) { return x * 5; }
#ifdef AFTER
int a(int) __attribute__((alias("g")));
#else
int a(int) __attribute__((alias("f")));
#endif
