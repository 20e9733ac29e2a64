import { IMAGE_PLACEHOLDER } from './definition'

/** LLaVA's mark of a picture among token ids: not a token, never embedded. */
export const IMAGE_TOKEN_INDEX = -200

/**
 * Token ids of a prompt whose tokenizer has no `<image>` token, with IMAGE_TOKEN_INDEX where pictures stand.
 *
 * Text between pictures is tokenised chunk by chunk, each with the tokenizer's own special tokens. Where the first chunk
 * begins with the BOS, that one stays and every chunk loses its first id, even one that is no BOS: a tokenizer that adds
 * none loses the first token behind a picture when the template itself writes the BOS. Models were trained so.
 *
 * Source: LLaVA mm_utils.py, tokenizer_image_token.
 */
export function chunkTokens(
  prompt: string,
  encode: (text: string) => readonly number[],
  bosTokenId: number | undefined,
): number[] {
  const chunks = prompt.split(IMAGE_PLACEHOLDER).map(encode)
  const first = chunks[0]?.[0]
  const hasBos = first !== undefined && first === bosTokenId
  const ids: number[] = hasBos ? [first] : []
  for (const [i, chunk] of chunks.entries()) {
    if (i > 0) ids.push(IMAGE_TOKEN_INDEX)
    ids.push(...(hasBos ? chunk.slice(1) : chunk))
  }
  return ids
}
