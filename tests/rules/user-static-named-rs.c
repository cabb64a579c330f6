// A user's own state may be called as the kernel calls its rate limits.
//# expect: data _rs changed content read by f
int f(void) {
#ifdef AFTER
    static int _rs = 3;
#else
    static int _rs = 2;
#endif
    return ++_rs;
}
int g(void) { static int cnt = 2; return ++cnt; }
