// A string that only a table points to.
//# expect: data names changed strings read by f | data rel changed strings read by f | function f changed strings
static const char *const names[] = {
    "one",
#ifdef AFTER
    "twO",
#else
    "two",
#endif
    "three",
};
const char *f(int i) { return names[i]; }
int g(int i) { return i; }
