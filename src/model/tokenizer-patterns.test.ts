import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Json } from './config-reader'
import { ConfigError } from './errors'
import { checkPatterns } from './tokenizer-patterns'

const tokenizer = (Regex: string): Json => ({
  pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex } }] },
})

describe('patterns of a tokenizer', () => {
  test.each([
    '(a+)+$',
    '(?:a*)*b',
    '(a|a)*b',
    '(a|ab?)+c',
    '(a?){100}',
    '(?:\\d{1,3})+x',
    '((a)(b?))*c',
    '(?<name>x+){0,999}y',
    '\\s*\\s*\\s*\\s*x',
    '(?:a*b*)(?:c*d*)e',
    'x'.repeat(5000),
  ])('refuses what may take for ever: %s', (pattern) => {
    expect(() => checkPatterns(tokenizer(pattern))).toThrow(ConfigError)
  })

  test.each([
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\s+",
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*',
    '\\d{1,3}(?=(?:\\d{3})*\\b)',
    '\\p{N}{1,3}?(?=(\\p{N}{3})+(?!\\p{N}))',
    '[一-龥\u3040-ゟ゠-ヿ]+',
    '[ \\n\\t]{2,}+',
    '',
    '(unclosed',
    '[unclosed',
    '\\',
  ])('lets pass what tokenizers have: %s', (pattern) => {
    expect(() => checkPatterns(tokenizer(pattern))).not.toThrow()
  })

  const folder = new URL('template/golden/tokenizers/', import.meta.url)
  test.each(readdirSync(folder))('lets pass the tokenizer %s', (name) => {
    const json = JSON.parse(readFileSync(new URL(`${name}/tokenizer.json`, folder), 'utf8')) as Json
    expect(() => checkPatterns(json)).not.toThrow()
  })
})
