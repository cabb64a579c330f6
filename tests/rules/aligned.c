// Alignment alone.
//# expect: data buf alignment | data buf alignment + section .data alignment
#ifdef AFTER
int buf[4] __attribute__((aligned(64))) = {1, 2, 3, 4};
#else
int buf[4] __attribute__((aligned(32))) = {1, 2, 3, 4};
#endif
int f(int i) { return buf[i]; }
