/** Forms for written knowledge: one per collection, filled in manually or from Markdown files. */
import { patch, post } from '../api.js'
import { card, field, fill, h, select, table } from '../dom.js'
import { beginning, count } from '../format.js'
import { act, form, toast } from '../parts.js'

/**
 * Fields of each collection: name, label, kind, and whether it is required. The first two are the question or name, and
 * the text.
 */
export const FORMS = {
  'best-practices': [
    ['title', 'Title or question', 'line', true],
    ['description', 'Text', 'text', true],
    ['category', 'Category', 'line'],
    ['examples', 'Examples', 'list'],
    ['anti_patterns', 'Anti-patterns', 'list'],
    ['references', 'References', 'list'],
  ],
  'error-solutions': [
    ['error_message', 'Error message', 'line', true],
    ['solution', 'Solution', 'text', true],
    ['error_type', 'Kind of error', 'line'],
    ['context', 'When it happens', 'text'],
  ],
  'skills-patterns': [
    ['skill_name', 'Name', 'line', true],
    ['description', 'How it is done', 'text', true],
    ['usage_pattern', 'Usage', 'text'],
    ['prerequisites', 'Prerequisites', 'list'],
    ['success_examples', 'Examples that worked', 'list'],
    ['failure_examples', 'Examples that failed', 'list'],
    ['related_skills', 'Related skills', 'list'],
  ],
  'learning-feedback': [
    ['query', 'Question', 'line', true],
    ['correction', 'Right answer', 'text', true],
    ['original_response', 'Wrong answer', 'text'],
  ],
  'codebase-context': [
    ['file_path', 'Path', 'line'],
    ['code_snippet', 'Code or prose', 'code', true],
    ['purpose', 'What it is for', 'line'],
    ['language', 'Language', 'line'],
  ],
}

/** Second-level headings for separate fields, as in the files of `.hybrid/`. */
const SECTIONS = {
  examples: 'examples',
  'anti-patterns': 'anti_patterns',
  references: 'references',
  context: 'context',
  usage: 'usage_pattern',
  prerequisites: 'prerequisites',
  'examples that worked': 'success_examples',
  'examples that failed': 'failure_examples',
  'related skills': 'related_skills',
  'original answer': 'original_response',
}

/** The controls of a collection's form. */
export function controls(collection, values = {}) {
  const inputs = FORMS[collection].map(([name, label, kind, needed]) => {
    const value = values[name]
    const text = Array.isArray(value) ? value.join('\n') : (value ?? '')
    const input =
      kind === 'line'
        ? h('input', { value: text, maxlength: 1000, required: needed === true })
        : h('textarea', {
            rows: kind === 'list' ? 3 : 10,
            maxlength: 32000,
            required: needed === true,
            class: kind === 'code' ? 'code' : null,
            value: text,
          })
    const hint = kind === 'list' ? 'One a line.' : kind === 'text' && needed ? 'Markdown.' : null
    return { name, kind, needed, input, element: field(label, input, hint) }
  })
  const optional = inputs.filter(({ needed, input }) => !needed && input.value === '')
  return {
    element: h(
      'div.stack',
      {},
      ...inputs.filter((one) => !optional.includes(one)).map(({ element }) => element),
      optional.length > 0
        ? h(
            'details',
            {},
            h('summary', {}, 'More fields'),
            h('div.stack', {}, ...optional.map(({ element }) => element)),
          )
        : null,
    ),
    /** The fields as stored. An empty field is null. */
    values: () =>
      Object.fromEntries(
        inputs.map(({ name, kind, input }) => {
          const text = input.value.trim()
          if (text === '') return [name, null]
          return [
            name,
            kind === 'list'
              ? text
                  .split('\n')
                  .map((line) => line.trim())
                  .filter(Boolean)
              : text,
          ]
        }),
      ),
  }
}

/**
 * Parses a Markdown note: the first heading is the title, known second-level headings are fields, the rest is the text.
 */
export function fromMarkdown(text, collection, fileName = '') {
  const [[title], [body]] = FORMS[collection]
  const kinds = Object.fromEntries(FORMS[collection].map(([name, , kind]) => [name, kind]))
  const withoutFront = text.replaceAll('\r\n', '\n').replace(/^---\n[\s\S]*?\n---\n/, '')
  const fields = { [title]: null, [body]: '' }
  let into = body
  for (const line of withoutFront.split('\n')) {
    const heading = /^(#{1,2}) +(.+?)\s*#*$/.exec(line)
    const section = heading?.[1] === '##' ? SECTIONS[heading[2].toLowerCase()] : undefined
    if (heading?.[1] === '#' && fields[title] === null) fields[title] = heading[2]
    else if (section && kinds[section]) {
      into = section
      fields[into] = ''
    } else {
      if (heading?.[1] === '##') into = body
      fields[into] = `${fields[into] ?? ''}${line}\n`
    }
  }
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'string') continue
    fields[name] =
      kinds[name] === 'list'
        ? value
            .split('\n')
            .map((line) => line.replace(/^\s*[-*+] /, '').trim())
            .filter(Boolean)
        : value.trim()
  }
  fields[title] ??= fileName.replace(/\.(md|markdown|txt)$/i, '').replaceAll(/[-_]+/g, ' ') || null
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== ''))
}

async function store(project, collection, list) {
  if (collection === 'learning-feedback') {
    for (const fields of list) await post('/learning_feedback', { project, ...present(fields) })
    return
  }
  const { results } = await post('/knowledge/items', {
    project,
    collection,
    items: list.map((fields) => ({ fields: present(fields) })),
  })
  const refused = results.find(({ error }) => error)?.error
  if (refused) throw new Error(`${refused.message}${refused.hint ? ` ${refused.hint}` : ''}`)
}

const present = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

/** The page for adding items: a form, and an area for Markdown. */
export function add(root, { project, go, title }, wanted, question) {
  const collection = FORMS[wanted] ? wanted : 'best-practices'
  title('Add knowledge')
  const [[first]] = FORMS[collection]
  const holder = h('div')
  const save = h('button.primary', { type: 'submit' }, 'Save')
  let current
  const show = (values) => {
    current = controls(collection, values)
    fill(holder, current.element)
  }
  const many = h('div')
  const take = async (files) => {
    const notes = await Promise.all([...files].map(async (one) => fromMarkdown(await one.text(), collection, one.name)))
    if (notes.length === 1) show(notes[0])
    else if (notes.length > 1) fill(many, several(notes))
  }
  const several = (notes) => {
    const all = h('button.primary', { type: 'button' }, `Save ${count(notes.length)} notes`)
    all.addEventListener('click', () =>
      act(all, async () => {
        await store(project, collection, notes)
        toast(`${count(notes.length)} notes are saved. Questions find them from now on.`)
        go(`#/knowledge/${collection}`)
      }),
    )
    return h(
      'div',
      {},
      table(
        'Notes of the files',
        ['Title', 'Text'],
        notes.map((fields) =>
          Object.values(fields)
            .slice(0, 2)
            .map((value) => beginning(String(value), 80)),
        ),
      ),
      all,
    )
  }
  const picker = h('input', {
    type: 'file',
    accept: '.md,.markdown,.txt',
    multiple: true,
    onchange: (event) => take(event.target.files).catch((error) => toast(error.message, 'bad')),
  })
  const drop = h(
    'div.drop',
    {
      ondragover: (event) => {
        event.preventDefault()
        drop.classList.add('over')
      },
      ondragleave: () => drop.classList.remove('over'),
      ondrop: (event) => {
        event.preventDefault()
        drop.classList.remove('over')
        const text = event.dataTransfer.getData('text/plain')
        if (event.dataTransfer.files.length > 0)
          take(event.dataTransfer.files).catch((error) => toast(error.message, 'bad'))
        else if (text) show(fromMarkdown(text, collection))
      },
    },
    field(
      'Markdown files',
      picker,
      'Drop files here, choose them, or paste a document into the text above. The first heading is the title; each file is a note.',
    ),
  )
  holder.addEventListener('paste', (event) => {
    const text = event.clipboardData.getData('text/plain')
    // A complete document pasted into an empty form fills in all fields.
    if (!/^# .+\n/.test(text) || current.values()[FORMS[collection][1][0]]) return
    event.preventDefault()
    show({ ...fromMarkdown(text, collection) })
  })
  show(question ? { [first]: question } : {})
  fill(
    root,
    h('p', {}, h('a', { href: `#/knowledge/${collection}` }, `← ${collection}`)),
    card(
      'Add a note',
      form(
        'form.stack',
        save,
        async () => {
          await store(project, collection, [current.values()])
          toast('Saved. Questions find it from now on.')
          go(`#/knowledge/${collection}`)
        },
        field(
          'Collection',
          select(
            Object.keys(FORMS).map((key) => [key, key]),
            collection,
            (event) => go(`#/knowledge/${event.target.value}/new/${encodeURIComponent(current.values()[first] ?? '')}`),
          ),
        ),
        holder,
        save,
      ),
    ),
    card('From Markdown', drop, many),
  )
}

/** The form for editing an item. */
export function editForm({ project, collection, item, done }) {
  const save = h('button.primary', { type: 'submit' }, 'Save')
  const fields = controls(collection, item.fields)
  return form(
    'form.stack',
    save,
    async () => {
      const changed = Object.fromEntries(
        Object.entries(fields.values()).filter(
          ([name, value]) => JSON.stringify(value ?? null) !== JSON.stringify(item.fields[name] ?? null),
        ),
      )
      await patch(`/knowledge/items/${collection}/${item.id}`, { project, fields: changed })
      toast('Saved.')
      done()
    },
    fields.element,
    save,
  )
}
