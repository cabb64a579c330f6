// A static function becomes global.
//# flags: -fno-inline
//# expect: function f binding
#ifndef AFTER
static
#endif
__attribute__((noinline, used)) int f(int x) { return x * 3; }
int g(int x) { return f(x) + 1; }
