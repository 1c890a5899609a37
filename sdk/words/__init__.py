"""The vocabulary of plans: frozen dataclasses and enums, no C and no planning.

`plan` writes these words, `codegen` prints them, the manifest stores them, `verify` and `measure` read them.  Every value in a step is an int,
a float, an enum or a tuple of these, so that any code generator can print a plan.

dtype    element types, THE list
layout   how a tensor lies in memory
scalar   functions of single numbers, THE list
loops    a generic step: loops, an expression, a reduction
quant    integers that stand for reals, THE definition of their rounding
post     what a kernel does to a result before it stores it, THE list of activations
step     one kernel call and its operands
schedule how a step is run on one ISA level
plan     buffers, constants, steps, and a schedule of each step for each level
"""
