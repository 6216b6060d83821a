/* weave.h - marks where the steps of two threads may interleave.
 *
 * In the product a mark is nothing.  tests/weave builds these same files with
 * PEAKLINE_WEAVE and there a mark hands the processor to the other end, as a
 * seed decides, so that a hundred thousand interleavings are tried, and the
 * bad one can be repeated.  Marks stand where one end's decision rests on what
 * it has read of the other: in link.c, and nowhere else so far.
 */
#ifndef PIPELINE_WEAVE_H
#define PIPELINE_WEAVE_H

#ifdef PEAKLINE_WEAVE
void weave_point(void); /* defined in tests/weave */
#else
static inline void weave_point(void)
{
}
#endif

#endif
