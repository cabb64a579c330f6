// A new static in front of its namesakes is the new one, though it has the first one's place, and perhaps its number.
//# flags: -O0
//# allow-new
//# expect: function f changed code,references | function f changed code,references,unwinding
//# expect: function g changed code,references | function g changed code,references,unwinding
int take(int *);
#ifdef AFTER
#define MORE if (n == 77) { static int c = 30; return take(&c) + 33; }
#else
#define MORE
#endif
int f(int n) { MORE if (!n) { static int c = 10; return take(&c); } else { static int c = 20; return take(&c) + 3; } }
int g(int n) { MORE { static int c = 10; return take(&c); } }
