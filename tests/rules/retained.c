// A datum grows; who reads it is told, who reads its neighbour is not.
//# expect: data buf size
//# allow: data buf changed
//# allow: data buf alignment
//# allow: data other alignment
static char buf[
#ifdef AFTER
    32
#else
    16
#endif
];
static char other[16];
char *f(void) { return buf; }
char *g(void) { return other; }
