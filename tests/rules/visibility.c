// Visibility alone.
//# expect: function f binding
#ifdef AFTER
__attribute__((visibility("hidden")))
#endif
int f(int x) { return x + 1; }
int g(int x) { return x + 2; }
