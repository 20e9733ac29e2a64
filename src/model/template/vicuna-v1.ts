import { withImages, type ChatTemplate } from './definition'

const SYSTEM =
  'A chat between a curious user and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions."

/** LLaVA 1.5 on Vicuna. Source: LLaVA conversation.py, conv_vicuna_v1. */
export const vicunaV1: ChatTemplate = {
  name: 'vicuna_v1',
  render(messages) {
    const system = messages[0]?.role === 'system' ? messages[0].text : SYSTEM
    const turns = messages.filter(({ role }) => role !== 'system')
    const rendered = turns.map((turn) =>
      turn.role === 'user' ? `USER: ${withImages(turn)} ` : `ASSISTANT: ${turn.text}</s>`,
    )
    return `${system} ${rendered.join('')}ASSISTANT:`
  },
  stop: ['</s>'],
}
