import { v1Labels } from './labels/v1'
import { namedSpeakers } from './styles'

/** LLaVA 1.5 and Cambrian on Vicuna. Source: LLaVA conversation.py, conv_vicuna_v1. */
export const vicunaV1 = namedSpeakers({
  name: 'vicuna_v1',
  system:
    'A chat between a curious user and an artificial intelligence assistant. ' +
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
  user: 'USER',
  assistant: 'ASSISTANT',
  afterSystem: ' ',
  userEnd: ' ',
  assistantEnd: '</s>',
  stop: ['</s>'],
  labels: v1Labels,
})
