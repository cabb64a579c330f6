// A loop ends at the address of whatever comes to lie behind its array, which it only compares with.
//# flags: -fno-pic -mcmodel=small -fno-data-sections
//# compilers: gcc
//# expect: data nexta new
//# expect: data nextb new
//# allow: function g new
static int before[4] = {1, 2, 3, 4};
#ifdef AFTER
static int nexta[4] = {5, 6, 7, 8};
#endif
static int walked[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7};
#ifdef AFTER
static int nextb[4] = {5, 6, 7, 8};
#endif
static int behind[4] = {1, 2, 3, 4};
int ext(int);
int f(void) { int s = 0; for (int *p = walked; p != walked + 16; p++) s += ext(*p) * s; return s; }
int u(long i) { return walked[i]++ + before[i]++ + behind[i]++; }
#ifdef AFTER
int g(long i) { return nexta[i]++ + nextb[i]++; }
#endif
