// A constructor's body.
//# expect: function start changed code
int ext(int);
int g(void) { return ext(1); }
#ifdef AFTER
__attribute__((constructor)) void start(void) { ext(6); }
#else
__attribute__((constructor)) void start(void) { ext(5); }
#endif
