// The number of patchable no-operations at the entry.
//# expect: function f changed
int g(int x) { return x + 2; }
#ifdef AFTER
__attribute__((patchable_function_entry(6, 2)))
#else
__attribute__((patchable_function_entry(5, 2)))
#endif
int f(int x) { return x + 1; }
