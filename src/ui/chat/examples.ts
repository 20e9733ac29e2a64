/** A picture to try, with questions the bundled model was trained to answer. */
export interface Example {
  /** Relative to the page. */
  file: string
  title: string
  question: string
}

export const EXAMPLES: readonly Example[] = [
  { file: 'examples/sea-floor.png', title: 'Shapes on light blue', question: 'Describe the image.' },
  { file: 'examples/bird.jpg', title: 'A small photo', question: 'What is this?' },
  { file: 'examples/digit.png', title: 'A handwritten digit', question: 'Which digit is this?' },
  { file: 'examples/night.png', title: 'Shapes on black', question: 'How many shapes are there?' },
  { file: 'examples/horse.jpg', title: 'Another photo', question: 'Is it an animal or a vehicle?' },
  { file: 'examples/meadow.png', title: 'Shapes on pink', question: 'What is the largest shape?' },
]
