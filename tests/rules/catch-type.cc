// A handler catches another type; nothing but the exception table says so.
//# not: kernel
//# expect: function _Z1fv changed unwinding | function _Z1fv changed constants
void ext();
#ifdef AFTER
int f() { try { ext(); } catch (long) { return 1; } return 0; }
#else
int f() { try { ext(); } catch (int) { return 1; } return 0; }
#endif
int g() { try { ext(); } catch (int) { return 2; } catch (long) { return 3; } return 0; }
