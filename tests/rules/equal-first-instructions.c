// Two cases of a switch change places; both begin with the same instruction.
//# flags: -fno-reorder-blocks
//# expect: function f changed code,tables | function f changed tables | function f changed code,references,tables | function f changed code,references
int ext(int, int);
#ifdef AFTER
#define ONE 2
#define TWO 1
#else
#define ONE 1
#define TWO 2
#endif
int f(int x, int y) {
    switch (x) {
    case 0: return ext(y, 3) + 1;
    case ONE: return ext(y, 3) * 5;
    case TWO: return ext(y, 3) * 9;
    case 3: return ext(y, 3) - 7;
    case 4: return ext(y, 3) ^ 11;
    case 5: return ext(y, 3) & 13;
    case 6: return ext(y, 3) | 17;
    }
    return 0;
}
int g(int x, int y) { return ext(x, y); }
