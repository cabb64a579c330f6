// A function moves to another section.
//# expect: function f section
int g(int x) { return x + 2; }
#ifdef AFTER
__attribute__((section(".init.text")))
#endif
int f(int x) { return x + 1; }
