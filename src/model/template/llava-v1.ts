import { v1Labels } from './labels/v1'
import { namedSpeakers } from './styles'

/** LLaVA's own wording of vicuna_v1: a curious human instead of a user. Source: LLaVA conversation.py, conv_llava_v1. */
export const llavaV1 = namedSpeakers({
  name: 'llava_v1',
  system:
    'A chat between a curious human and an artificial intelligence assistant. ' +
    "The assistant gives helpful, detailed, and polite answers to the human's questions.",
  user: 'USER',
  assistant: 'ASSISTANT',
  afterSystem: ' ',
  userEnd: ' ',
  assistantEnd: '</s>',
  stop: ['</s>'],
  labels: v1Labels,
})
