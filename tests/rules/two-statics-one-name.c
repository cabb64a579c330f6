// Two statics of one name in one function; one of them starts with another value.
//# expect: data v changed content read by f
int f(int x) {
    if (x) { static int v = 1; return ++v; }
#ifdef AFTER
    { static int v = 3; return v += 7; }
#else
    { static int v = 2; return v += 7; }
#endif
}
