import { chunkTokens, IMAGE_TOKEN_INDEX } from '../chunk-tokens'
import { IMAGE_PLACEHOLDER } from '../definition'
import type { TrainingTokenizer } from './definition'

/** The part of transformers.js that is used. */
export interface FastTokenizer {
  encode(text: string, options?: { add_special_tokens?: boolean }): number[]
}

/**
 * A tokenizer as label rules need it.
 *
 * `knowsImages`: `<image>` is a token of it, as in Hugging Face's layouts; else pictures are IMAGE_TOKEN_INDEX.
 */
export function trainingTokenizer(
  inner: FastTokenizer,
  options: { knowsImages: boolean; legacy: boolean; imageMark?: string | undefined },
): TrainingTokenizer {
  const { knowsImages, legacy, imageMark = IMAGE_PLACEHOLDER } = options
  const ids = inner as {
    bos_token_id?: number
    eos_token_id?: number
    unk_token_id?: number
    pad_token_id?: number
  }
  const encodeText = (text: string) => inner.encode(text)
  return {
    encode: (text) => (knowsImages ? encodeText(text) : chunkTokens(text, encodeText, ids.bos_token_id)),
    encodeWhole: (text) =>
      knowsImages
        ? encodeText(text)
        : text
            .split(IMAGE_PLACEHOLDER)
            .flatMap((chunk, i) => [...(i ? [IMAGE_TOKEN_INDEX] : []), ...encodeText(chunk)]),
    encodeText,
    encodeBare: (text) => (text === '' ? [] : inner.encode(text, { add_special_tokens: false })),
    eosTokenId: ids.eos_token_id,
    paddingTokenId: ids.unk_token_id ?? ids.pad_token_id,
    legacy,
    imageMark,
  }
}
