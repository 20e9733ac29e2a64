import { Template } from '@huggingface/jinja'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { TemplateError } from '../errors'
import { JinjaTemplate } from './jinja'

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'What is\nthis? a+a' }] },
  { role: 'assistant', content: 'A bird.' },
]
const variables = { messages, add_generation_prompt: true, tools: null, bos_token: '<s>', eos_token: '</s>' }
const render = (source: string) => new JinjaTemplate(source).render(variables)

/** Doubles a value 60 times. */
const doubled = (start: string, twice: string) =>
  `{% set ns = namespace(a=${start}) %}{% for i in range(60) %}{% set ns.a = ${twice} %}{% endfor %}`
const long = (length: number) =>
  `{% set ns = namespace(a='a') %}{% for i in range(${Math.log2(length)}) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}`

describe('a template that would not end is cut off', () => {
  test.each([
    ['a long range', '{% for i in range(10**12) %}x{% endfor %}'],
    ['a range whose numbers no longer grow', '{% for i in range(2**60, 2**60 + 10) %}x{% endfor %}'],
    ['a range of no step', '{{ range(1, 2, 0) }}'],
    ['a range of tiny steps', '{{ range(0, 1, 1e-12) }}'],
    ['loops in loops', `${'{% for i in range(60000) %}'.repeat(4)}${'{% endfor %}'.repeat(4)}`],
    [
      'loops in loops over a kept list',
      `{% set r = range(60000) %}${'{% for i in r %}'.repeat(3)}x${'{% endfor %}'.repeat(3)}`,
    ],
    [
      'a loop whose condition refuses all',
      '{% set r = range(60000) %}{% for i in r %}{% for j in r if false %}{% endfor %}{% endfor %}',
    ],
    ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    [
      'macros that call each other twice',
      '{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}',
    ],
    [
      'a block that calls its caller',
      '{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}',
    ],
    ['text doubled', `${doubled("'x'", 'ns.a ~ ns.a')}{{ ns.a | length }}`],
    ['text doubled by +', `${doubled("'x'", 'ns.a + ns.a')}{{ ns.a }}`],
    ['text doubled by a block', `{% set a = 'x' %}${'{% set a %}{{ a }}{{ a }}{% endset %}'.repeat(60)}`],
    ['text doubled by replace', doubled("'x'", "ns.a.replace('x', 'xx')")],
    ['text doubled by a replace filter', doubled("'x'", "(ns.a | replace('x', 'xx'))")],
    ['text multiplied by replace', `${long(2 ** 20)}{{ ns.a.replace('a', ns.a) | length }}`],
    ['text multiplied by a computed name', `${long(2 ** 20)}{{ ns.a['rep' ~ 'lace']('a', ns.a) | length }}`],
    ['text multiplied by a replace of nothing', `${long(2 ** 20)}{{ ns.a.replace('', ns.a) | length }}`],
    [
      'text multiplied by a kept method',
      `${long(2 ** 20)}{% set f = ns.a.replace %}{{ f('a', ns.a) | length }}`,
    ],
    ['text multiplied by a called method', `${long(2 ** 20)}{% call ns.a.replace('a', ns.a) %}{% endcall %}`],
    ['text multiplied by unpacked arguments', `${long(2 ** 20)}{{ ns.a.replace(*['a', ns.a]) | length }}`],
    [
      'text multiplied by a filter block',
      `${long(2 ** 20)}{% filter replace('a', ns.a) %}{{ ns.a }}{% endfilter %}`,
    ],
    ['text multiplied by join', `${long(2 ** 20)}{{ range(60000) | join(ns.a) | length }}`],
    ['text multiplied by join of a text', `${long(2 ** 20)}{{ ns.a | join(ns.a) | length }}`],
    ['text cut into a million pieces', `${long(2 ** 20)}{{ ns.a.split('a') | length }}`],
    ['text indented far', `{{ 'a\\nb' | indent(10**9) }}`],
    ['text indented far, by name', `{{ 'a\\nb' | indent(width=10**9) }}`],
    ['JSON indented far', '{{ messages | tojson(indent=10**8) }}'],
    ['JSON with long separators', `${long(2 ** 20)}{{ range(60000) | tojson(separators=(ns.a, ns.a)) }}`],
    [
      'a search that goes back and forth',
      `${long(2 ** 20)}{% for i in range(9999) %}{% if (ns.a[:400000] ~ 'b') in ns.a %}{% endif %}{% endfor %}`,
    ],
    ['lists doubled', `${doubled('[1]', 'ns.a + ns.a')}`],
    ['lists of the same list', `${doubled('[1]', '[ns.a, ns.a]')}{{ ns.a }}`],
    [
      'lists within lists',
      `{% set ns = namespace(a=[]) %}{% for i in range(5000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a }}`,
    ],
    ['a namespace within itself', '{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}'],
    ['namespaces doubled', '{% set a = namespace(x=1) %}{% set b = [a, a] %}{% set a.x = b %}{{ b }}'],
    ['much written again and again', `${long(2 ** 20)}{% for i in range(60000) %}{{ ns.a }}{% endfor %}`],
    ['lists written again and again', '{% set r = range(60000) %}{% for i in r %}{{ r }}{% endfor %}'],
    [
      'lists sorted again and again',
      '{% set r = range(60000) %}{% for i in r %}{% set x = r | sort %}{% endfor %}',
    ],
    [
      'text cased again and again',
      `${long(2 ** 20)}{% for i in range(60000) %}{% set x = ns.a | upper %}{% endfor %}`,
    ],
    ['a long sum', `{{ ${'1 + '.repeat(40000)}1 }}`],
    ['deep brackets', `{{ ${'('.repeat(30000)}1${')'.repeat(30000)} }}`],
    ['deep lists', `{{ ${'['.repeat(30000)}${']'.repeat(30000)} }}`],
    ['a long template', '{{ 1 }}'.repeat(40000)],
    ['many blanks', `a${' '.repeat(120_000)}b`],
    ['many blanks before tags', `${' '.repeat(1000)}{% generation`.repeat(128)],
    ['an error it raises, of any length', `${long(2 ** 20)}{{ raise_exception(ns.a) }}`],
  ])('%s', (_, source) => {
    const before = process.memoryUsage()
    const begun = process.cpuUsage()
    let error: unknown
    try {
      render(source)
    } catch (thrown) {
      error = thrown
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    expect(error).toBeInstanceOf(TemplateError)
    expect((error as Error).message.length).toBeLessThan(500)
    const { user, system } = process.cpuUsage(begun)
    expect((user + system) / 1e6, 'seconds').toBeLessThan(3)
    expect((heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers) / 2 ** 20).toBeLessThan(256)
  })
})

describe('a template that ends is rendered as the library does', () => {
  const own = (source: string) => new Template(source).render(variables)

  test.each([
    '{% for m in messages %}{{ m.role }}{{ loop.index0 }}{{ loop.last }}{% endfor %}',
    '{% for m in messages if m.role != "system" %}{{ m["role"] | upper }}{% else %}none{% endfor %}',
    '{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}',
    '{% macro f(a, b=2) %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(1, b=3) }}',
    '{% macro f() %}<{{ caller("x") }}>{% endmacro %}{% call(t) f() %}{{ t }}{% endcall %}',
    '{% set ns = namespace(n=0, text="") %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}{{ ns }}',
    '{{ messages | tojson(indent=2) }}{{ messages[1:] | length }}{{ messages[-1].content[::-1] }}',
    '{{ messages | map(attribute="role") | join(", ") }}{{ messages | selectattr("role", "equalto", "user") | list }}',
    '{{ "a-b-c".split("-") | join("+") }}{{ "a\\nb" | indent(2, true) }}{{ "  x ".strip() }}{{ "aba".replace("a", "c", 1) }}',
    '{{ "abc" is string and "b" in "abc" and "role" in messages[0] and 2 not in [1, 3] }}',
    '{% filter replace("a", "b") %}banana{% endfilter %}{% set t %}x{{ bos_token }}{% endset %}{{ t ~ 1 }}',
    '{{ {"b": 1, "a": 2} | dictsort }}{{ {"b": 1}.items() }}{{ {"b": 1}.get("c", 3) }}{{ none }}{{ missing is defined }}',
    '{{ missing.inner is defined if missing is defined else "no" }}{{ tools or "none" }}{{ 7 // 2 }}{{ 2 ** 3 }}',
    '{% if messages[0].items %}method{% endif %}{{ messages[0].keys() | list }}{% generation %}x{% endgeneration %}',
    '{{- bos_token -}}  x  {%- if true -%}  y  {%- endif %}\n{# note #}\n  {% if true %}\nz\n{% endif %}\n',
    '{{ strftime_now("%Y-%m-%d %%") }}{{ range(5, 0, -2) | list }}{{ range(0) | list }}{{ range(1, 4) | last }}',
    '{{ messages[1]["content"][1]["text"].split("\\n")[0].title() }}{{ [3, 1, 2] | sort(reverse=true) | first }}',
  ])('%s', (source) => expect(render(source)).toBe(own(source)))

  const folder = new URL('golden/tokenizers/', import.meta.url)
  test.each(readdirSync(folder))('the template of the tokenizer %s', (name) => {
    const config = JSON.parse(readFileSync(new URL(`${name}/tokenizer_config.json`, folder), 'utf8')) as {
      chat_template?: string
    }
    const source = config.chat_template ?? '{{ messages }}'
    expect(render(source)).toBe(own(source))
  })

  test('that of a conversation as long as a context', () => {
    const turns = Array.from({ length: 400 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content: 'word '.repeat(250),
    }))
    const source =
      "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}" +
      "{{ raise_exception('roles must alternate') }}{% endif %}{% if loop.index0 == 0 and messages[0]['role'] == 'system' %}" +
      "{% endif %}{{ '<|' + message['role'] + '|>\\n' + message['content'] | trim + eos_token + '\\n' }}{% endfor %}" +
      "{% if add_generation_prompt and messages[-1]['role'] != 'assistant' %}{{ '<|assistant|>' }}{% endif %}"
    const all = { ...variables, messages: turns }
    expect(new JinjaTemplate(source).render(all)).toBe(new Template(source).render(all))
  })

  test('an error it raises is shown', () => {
    expect(() => render("{{ raise_exception('roles must alternate') }}")).toThrow(/roles must alternate/)
  })
})
