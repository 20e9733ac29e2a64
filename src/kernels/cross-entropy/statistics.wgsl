// Statistics of a row of logits that comes in chunks of the vocabulary, and what a label may be.
//
//   state  vec4u  largest logit so far, sum of exp(logit - largest), logit of the label (bits of f32 each), flags

const IGNORED = 0xffffffffu;   // label of a row that takes no part
const NAN_BITS = 0x7fc00000u;  // written as an integer: drivers may assume that no float is a NaN

const STARTED = 1u;      // a chunk went in; without it the rest of the state means nothing
const LABEL_MET = 2u;    // the label was in one of the chunks
const NOT_FINITE = 4u;   // a logit was infinite or a NaN
const TAKES_NO_PART = 8u;
const COMPLETE = STARTED | LABEL_MET;
