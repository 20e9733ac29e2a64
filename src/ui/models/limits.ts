import type { BundledName } from './choice'

const NANO_SEES = 'Drawings of one to five coloured shapes: which, how many, where, how large'
const NANO_PHOTOS = 'Small photos of airplanes, cars, birds, cats, deer, dogs, frogs, horses, ships, trucks: '
const NANO_DIGITS = 'One handwritten digit: 95 of 100 read right'
const NANO_ELSE = 'Anything else: every object becomes one of those ten, with confidence'
const NANO_NEVER = 'People, text, places, actions, or which of two shapes is further left'

/** What the bundled models can see and cannot, in English: only the page's own welcome tells it. Figures are from their cards. */
export const LIMITS: Readonly<Record<BundledName, { sees: readonly string[]; misses: readonly string[] }>> = {
  'trilobite-nano-cambrian': {
    sees: [NANO_SEES, `${NANO_PHOTOS}76 of 100 named right`, NANO_DIGITS],
    misses: [NANO_ELSE, 'Detail: it sees 64 × 64 pixels, and less of wide or tall pictures', NANO_NEVER],
  },
  'trilobite-nano-llava': {
    sees: [NANO_SEES, `${NANO_PHOTOS}78 of 100 named right`, NANO_DIGITS],
    misses: [
      NANO_ELSE,
      'Detail: it sees 48 × 48 pixels, and names about half of large, busy photos',
      NANO_NEVER,
    ],
  },
  'trilobite-nano-stage1': {
    sees: [
      'After three epochs on the 200 sample pairs: whether it is a photo, a digit or a drawing (55 of 64 right)',
      'And of ten kinds of photos some: 9 of 26 named right',
    ],
    misses: [
      'Everything before: its captions of pictures are nonsense',
      'Questions: it learns captions alone; for those there is trilobite-nano-llava, which went on to stage 2',
    ],
  },
}
