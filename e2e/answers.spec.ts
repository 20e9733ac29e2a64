import { expect, test } from './support/fixtures'
import { collapsed, picturePath, samples } from './support/samples'

test.describe('the bundled model answers as PyTorch does', () => {
  // Every second one: in Node all are asked.
  for (const { image, turns } of samples.filter((_, i) => i % 2 === 0)) {
    test(image, async ({ chat }) => {
      for (const [i, turn] of turns.entries()) {
        const pictures = i === 0 ? [picturePath(image)] : []
        const { reply } = await chat.ask(turn.question, ...pictures)
        expect(collapsed(reply.promptTokenIds)).toEqual(turn.input_ids)
        expect(reply.tokenIds).toEqual(turn.generated_ids)
        await expect(chat.text()).toHaveText(turn.reply)
      }
    })
  }
})
