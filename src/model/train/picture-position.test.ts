import { expect, test } from 'vitest'
import { OriginalCase } from '../testing/original'
import { HfTrainingCase } from '../testing/training-case'
import { Tokenizer } from '../tokenizer'
import { positionNote } from './picture-position'
import { recipes } from './recipes'

test('a template that puts pictures elsewhere than image_position says is told', async () => {
  const opened = await new OriginalCase('cambrian-llama3').open()
  const note = (template: string, named?: string) =>
    positionNote(
      { opened, tokenizer: Tokenizer.from(opened, named) },
      { ...recipes['cambrian-1'].recipe, template },
    )
  const position = opened.config['image_position'] as number
  expect(note('model')).toBeUndefined()
  expect(note('llama_3')).toBeUndefined()
  expect(note('model', 'vicuna_v1')).toMatch(
    new RegExp(
      `^config\\.json: image_position is ${position}, but under the template vicuna_v1 pictures stand at \\d+\\..*--template`,
    ),
  )
  expect(note('plain')).toMatch(/under the template plain pictures stand at [01]\./)
})

test('models that look for the picture have no such place', async () => {
  const opened = await new HfTrainingCase('train-clip-llama').open()
  expect(
    positionNote({ opened, tokenizer: Tokenizer.from(opened) }, recipes['llava-1.5'].recipe),
  ).toBeUndefined()
})
