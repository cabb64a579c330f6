// A function with an exception table comes before others: theirs keep their identity, whatever the tables are called.
//# not: kernel
//# expect: function _Z5fresht new
//# allow-new
void ext();
#ifdef AFTER
int fresh(unsigned short x) { try { ext(); } catch (char) { return x; } return 0; }
#endif
int f() { try { ext(); } catch (int) { return 1; } return 0; }
int g() { try { ext(); } catch (long) { return 2; } return 0; }
