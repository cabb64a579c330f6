// Two statics of one name in one function; their scopes, numbers and places swap, the function's code with them.
//# expect: function f changed code,references | function f changed code
int f(int x) {
#ifdef AFTER
    if (x) { static int v = 2; return v += 7; }
    { static int v = 1; return ++v; }
#else
    if (x) { static int v = 1; return ++v; }
    { static int v = 2; return v += 7; }
#endif
}
