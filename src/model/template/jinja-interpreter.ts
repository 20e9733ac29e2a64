import { Interpreter, type Environment } from '@huggingface/jinja'

type Statement = NonNullable<Parameters<Interpreter['evaluate']>[0]>
type Value = ReturnType<Interpreter['evaluate']>
type Node = Statement & Readonly<Record<string, unknown>>

/** Characters of any one text or list: a conversation that fills 128k tokens has about half a million. */
const MAX_TEXT = 2 ** 21
/** Elements of any one list. */
const MAX_ELEMENTS = 2 ** 16
/** A template's brackets and calls within each other. */
const MAX_DEPTH = 400
/** Lists within lists. */
const MAX_NESTING = 64
/** Of all that is evaluated; a character read or written is one unit. About a second in Node on one Xeon core. */
const MAX_WORK = 2 ** 24
const NODE_WORK = 32
/** Comparisons of a search for text: length of the text times length of what is looked for. */
const MAX_SEARCH = 2 ** 27
/** Against what the units do not see. */
const MAX_MS = 2000
const NODES_BETWEEN_CLOCKS = 256
const MAX_INDENT = 16

/** Filters that look at a list without writing its text. */
const GLANCES = new Set(['length', 'first', 'last', 'list', 'reverse', 'items', 'keys', 'values', 'default'])
const SORTS = new Set(['sort', 'dictsort', 'unique', 'groupby'])

/**
 * Runs a template that nobody has vetted. Loops, recursion, long texts and lists that refer to each other are cut off
 * before they take more than about a second or 100 MB: what could grow in one step is measured before that step.
 *
 * Throws: Error.
 */
export class BoundedInterpreter extends Interpreter {
  private work = 0
  private depth = 0
  private nodes = 0
  private readonly begun = performance.now()
  private readonly sizes = new WeakMap<object, number>()

  override evaluate(statement: Statement | undefined, environment: Environment): Value {
    if (!statement) return super.evaluate(statement, environment)
    const node = statement as Node
    if (node.type === 'Evaluated') return node['value'] as Value
    const value = this.inspect(node, environment)
    this.charge(textOf(value)?.length ?? this.sizeOf(value))
    return value
  }

  /** As evaluate, for what only looks into a list. */
  private inspect(node: Node, environment: Environment): Value {
    if (node.type === 'Evaluated') return node['value'] as Value
    this.charge(NODE_WORK)
    if (++this.nodes % NODES_BETWEEN_CLOCKS === 0 && performance.now() - this.begun > MAX_MS) {
      throw new Error(`expected to be done within ${MAX_MS / 1000} s`)
    }
    if (this.depth === MAX_DEPTH) throw new Error(`expected at most ${MAX_DEPTH} calls within each other`)
    this.depth++
    let value: Value
    try {
      value = super.evaluate(this.prepared(node, environment), environment)
    } finally {
      // `break` and `continue` leave by an error too.
      this.depth--
    }
    this.sizeOf(value)
    // A method without its owner could no longer be measured.
    return node.type === 'MemberExpression' && value.type === 'FunctionValue' ? unowned(value) : value
  }

  /** The same node with those of its parts evaluated that decide how much it makes. */
  private prepared(node: Node, environment: Environment): Node {
    switch (node.type) {
      case 'MemberExpression':
        return { ...node, object: this.inspected(node['object'], environment) } as Node
      case 'TestExpression':
        return { ...node, operand: this.inspected(node['operand'], environment) } as Node
      case 'For':
        return this.preparedFor(node, environment)
      case 'BinaryExpression':
        return this.preparedSearch(node, environment)
      case 'FilterExpression':
        return this.preparedFilter(node, environment)
      case 'FilterStatement': {
        const operand = { type: 'Program', body: node['body'] } as unknown as Node
        return this.preparedFilter(
          { type: 'FilterExpression', operand, filter: node['filter'] } as unknown as Node,
          environment,
        )
      }
      case 'CallExpression':
        return this.preparedCall(node, environment)
      case 'CallStatement':
        return { ...node, call: this.preparedCall(node['call'] as Node, environment) } as Node
      default:
        return node
    }
  }

  private preparedFor(node: Node, environment: Environment): Node {
    const of = (iterable: Node): Node => {
      const found = this.inspected(iterable, environment)
      // Each turn makes a scope and the ten values of `loop`.
      this.charge(16 * NODE_WORK * lengthOf(found.value))
      return found
    }
    const iterable = node['iterable'] as Node
    return {
      ...node,
      iterable:
        iterable.type === 'SelectExpression'
          ? { ...iterable, lhs: of(iterable['lhs'] as Node) }
          : of(iterable),
    } as Node
  }

  private preparedSearch(node: Node, environment: Environment): Node {
    const { value: operator } = node['operator'] as { value: string }
    if (operator !== 'in' && operator !== 'not in') return node
    const left = this.inspected(node['left'], environment)
    const right = this.inspected(node['right'], environment)
    this.checkSearch(textOf(right.value), textOf(left.value))
    this.charge(lengthOf(right.value))
    return { ...node, left, right } as Node
  }

  private preparedFilter(node: Node, environment: Environment): Node {
    const operand = this.inspected(node['operand'], environment)
    const filter = node['filter'] as Node
    const isCall = filter.type === 'CallExpression'
    const { value: name } = (isCall ? filter['callee'] : filter) as unknown as { value: string }
    if (!GLANCES.has(name)) this.charge(this.sizeOf(operand.value) * (SORTS.has(name) ? 16 : 1))
    if (!isCall || !Object.hasOwn(GROWTH, name)) return { ...node, operand } as Node
    const args = (filter['args'] as Node[]).map((arg) => this.preparedArgument(arg, environment))
    this.checkGrowth(name, operand.value, args)
    return { ...node, operand, filter: { ...filter, args } } as unknown as Node
  }

  private preparedCall(node: Node, environment: Environment): Node {
    const callee = node['callee'] as Node
    if (callee.type !== 'MemberExpression') return node
    const owner = this.inspected(callee['object'], environment)
    const property = callee['computed'] ? this.inspected(callee['property'], environment) : callee['property']
    const name = callee['computed'] ? (property as { value: Value }).value.value : (property as Node)['value']
    const args = (node['args'] as Node[]).map((arg) => this.preparedArgument(arg, environment))
    this.charge(this.sizeOf(owner.value) * (name === 'dictsort' ? 16 : 1))
    this.checkGrowth(String(name), owner.value, args)
    // The interpreter asks for the member by `evaluate`, which would give it away without its owner.
    const member = super.evaluate({ ...callee, object: owner, property } as Node, environment)
    return { ...node, args, callee: evaluated(member) } as unknown as Node
  }

  private preparedArgument(arg: Node, environment: Environment): Node {
    if (arg.type === 'KeywordArgumentExpression')
      return { ...arg, value: evaluated(this.evaluate(arg['value'] as Node, environment)) } as Node
    if (arg.type === 'SpreadExpression' || arg.type === 'KeywordSpreadExpression')
      return { ...arg, argument: evaluated(this.evaluate(arg['argument'] as Node, environment)) } as Node
    return evaluated(this.evaluate(arg, environment))
  }

  private inspected(node: unknown, environment: Environment): Node & { value: Value } {
    return evaluated(this.inspect(node as Node, environment))
  }

  private checkGrowth(name: string, owner: Value, args: readonly Node[]): void {
    if (!Object.hasOwn(GROWTH, name)) return
    // What an argument is called does not matter to what it can do.
    const values = args.flatMap((arg): Value[] => {
      if (arg.type === 'KeywordSpreadExpression' || arg.type === 'SpreadExpression')
        throw new Error(`expected the arguments of ${name} one by one`)
      return [(arg.type === 'KeywordArgumentExpression' ? arg['value'] : arg) as Node].map(
        ({ value }) => value as Value,
      )
    })
    const text = textOf(owner)
    if (name !== 'join' && name !== 'tojson') this.checkSearch(text, values[0] && textOf(values[0]))
    const size = GROWTH[name]!(text ?? '', values, owner)
    if (!(size <= MAX_TEXT)) throw new Error(`expected ${name} to make at most ${MAX_TEXT} characters`)
    this.charge(size)
  }

  private checkSearch(text = '', wanted = ''): void {
    if (text.length * wanted.length > MAX_SEARCH)
      throw new Error(`expected to look for shorter text than ${wanted.length} characters`)
  }

  private charge(units: number): void {
    this.work += units
    if (this.work > MAX_WORK)
      throw new Error('expected to be done after fewer steps: it loops or grows without end')
  }

  /** Characters of a value's text, about; shared parts count as often as they would be written. */
  private sizeOf(value: Value, nesting = 0): number {
    const text = textOf(value)
    if (text !== undefined) return this.checked(text.length)
    const children = childrenOf(value)
    if (!children) return 8
    const known = this.sizes.get(value)
    if (known !== undefined) return known
    if (nesting > MAX_NESTING) throw new Error(`expected at most ${MAX_NESTING} lists within each other`)
    if (children.length > MAX_ELEMENTS) throw new Error(`expected at most ${MAX_ELEMENTS} elements in a list`)
    let size = 2
    for (const child of children) {
      // Alone a namespace can change, so what holds one cannot be measured once.
      if (child.type === 'NamespaceValue') throw new Error('expected no namespace within another value')
      size = this.checked(size + 4 + this.sizeOf(child, nesting + 1))
    }
    if (value.type !== 'NamespaceValue') this.sizes.set(value, size)
    return size
  }

  private checked(size: number): number {
    if (size > MAX_TEXT) throw new Error(`expected texts of at most ${MAX_TEXT} characters`)
    return size
  }
}

/** Characters that a step makes, for those that make more than they are given. */
const GROWTH: Readonly<Record<string, (text: string, args: readonly Value[], owner: Value) => number>> = {
  replace(text, [old, by]) {
    const wanted = (old && textOf(old)) ?? ''
    const times = wanted === '' ? text.length + 1 : text.split(wanted).length - 1
    return text.length + times * ((by && textOf(by)) ?? '').length
  },
  split(text, [separator]) {
    const wanted = separator && textOf(separator)
    const parts = wanted ? text.split(wanted).length : 1
    return parts > MAX_ELEMENTS ? Infinity : text.length
  },
  join(text, [separator], owner) {
    return text.length + ((separator && textOf(separator)) ?? '').length * (text.length || lengthOf(owner))
  },
  indent(text, args) {
    const width = Math.max(4, ...args.map(({ value }) => (typeof value === 'number' ? value : 0)))
    return text.length + text.split('\n').length * width
  },
  tojson(_text, args) {
    const numbers = args.map(({ value }) => (typeof value === 'number' ? value : 0))
    const separators = args.flatMap((arg) => childrenOf(arg)?.map((part) => textOf(part)?.length ?? 0) ?? [])
    return Math.max(0, ...numbers, ...separators) > MAX_INDENT ? Infinity : 0
  },
}

const evaluated = (value: Value) => ({ type: 'Evaluated', value }) as unknown as Node & { value: Value }

const textOf = (value: Value): string | undefined =>
  typeof value.value === 'string' ? value.value : undefined

function childrenOf(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value.value)) return value.value
  return value.value instanceof Map ? [...value.value.values()] : undefined
}

function lengthOf(value: Value): number {
  if (Array.isArray(value.value) || typeof value.value === 'string') return value.value.length
  return value.value instanceof Map ? value.value.size : 0
}

/** A function that is there, but cannot be called. */
function unowned(value: Value): Value {
  const refuse = () => {
    throw new Error('expected a method to be called where it is named')
  }
  return Object.assign(Object.create(Object.getPrototypeOf(value) as object) as Value, value, {
    value: refuse,
  }) as Value
}
