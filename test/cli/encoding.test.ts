import { describe, expect, it } from 'vitest'
import { createDecoder, declaredEncoding } from '../../cli/ingest/encoding.ts'
import { encode } from './encode.ts'

const decoded = async (bytes: Uint8Array): Promise<string> => {
  const result = await createDecoder().decode(Buffer.from(bytes))
  return typeof result === 'string' ? result : result.text
}

const COMMENTS: [name: string, text: string, labels: string[]][] = [
  [
    'Japanese',
    '/* 在庫を再計算する */\nint recount(int n) {\n  /* 負の在庫はエラー */\n  printf("在庫が不足しています");\n}\n',
    ['shift_jis', 'euc-jp'],
  ],
  [
    'one Japanese sentence in markup',
    `${'<p class="x">plain markup goes here</p>\n'.repeat(30)}<p>ログを開始する</p>\n`,
    ['shift_jis', 'euc-jp'],
  ],
  [
    'simplified Chinese',
    '// 计算库存数量，返回库存\nint count(int n) { return n; } // 如果数量小于零就报告错误\n',
    ['gbk'],
  ],
  [
    'traditional Chinese',
    '// 重新計算庫存的數量，並且返回結果\nint count(int n) { return n; } // 如果數量小於零就報告錯誤，請檢查資料庫的設定\n',
    ['big5'],
  ],
  ['Korean', '// 재고를 다시 계산합니다\nint count(int n) { return n; }\n', ['euc-kr']],
  [
    'Russian',
    '// Пересчитывает остаток на складе\nint count(int n) { return n; } // возвращает число\n',
    ['windows-1251', 'koi8-r'],
  ],
  ['French', 'A naïve plan: meet for a café au lait at noon\n', ['windows-1252']],
  ['German', '/* © 2004 Müller */\n// Größe der Straße über dem Fluß\nint a;\n', ['windows-1252']],
  ['typographic marks', 'It’s a “test” – really… 100 €\n', ['windows-1252']],
  ['Polish', '// Zażółć gęślą jaźń, długość ścieżki\n', ['windows-1250', 'iso-8859-2']],
  ['Czech', '// Příliš žluťoučký kůň úpěl ďábelské ódy\n', ['windows-1250']],
  ['Greek', '// Υπολογίζει το απόθεμα ξανά\n', ['windows-1253']],
  ['Turkish', '// Stoğu yeniden hesaplar, müşteri için değişiklik\n', ['windows-1254']],
  ['Hebrew', '// מחשב את המלאי מחדש\n', ['windows-1255']],
]

describe('decoding', () => {
  it.each(COMMENTS.flatMap(([name, text, labels]) => labels.map((label) => [name, label, text] as const)))(
    '%s in %s',
    async (_name, label, text) => {
      expect(await decoded(encode(text, label))).toBe(text)
    },
  )

  it('UTF-8 and UTF-16, with and without a byte order mark', async () => {
    const text = 'int størrelse = 1; // 日本語\nreturn;\n'
    const utf16 = Buffer.from(text, 'utf16le')
    const swapped = Buffer.from(utf16).swap16()
    expect(await decoded(Buffer.from(text))).toBe(text)
    expect(await decoded(Buffer.from(`\ufeff${text.replaceAll('\n', '\r\n')}`))).toBe(text)
    expect(await decoded(Buffer.from(`\ufeff${text}`, 'utf16le'))).toBe(text)
    expect(await decoded(Buffer.from(`\ufeff${text}`, 'utf16le').swap16())).toBe(text)
    expect(await decoded(utf16)).toBe(text)
    expect(await decoded(swapped)).toBe(text)
  })

  it('uses the declaration in a file', async () => {
    const body = `<p>${'plain '.repeat(200)}在庫</p></body></html>\n`
    for (const head of [
      '<html><head><meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"></head><body>',
      '<?xml version="1.0" encoding="Shift_JIS"?>\n<a>',
      '# -*- coding: shift_jis -*-\n',
      '#!/usr/bin/ruby\n# encoding: Shift_JIS\n',
      '// vim: set fileencoding=sjis :\n',
      '#!/usr/bin/python\r\n# -*- coding: shift_jis -*-\r\n',
    ])
      expect(await decoded(encode(head + body, 'shift_jis'))).toBe((head + body).replaceAll('\r\n', '\n'))
    expect(declaredEncoding(Buffer.from('<meta charset="no-such-thing">'))).toBeUndefined()
  })

  it('ignores a false declaration', async () => {
    const text = '<meta charset="utf-8">\n<p>Größe der Straße über dem Fluß</p>\n'
    expect(await decoded(encode(text, 'windows-1252'))).toBe(text)
  })

  it('binary files are not text; a few broken bytes do not spoil a long text', async () => {
    expect(await decoded(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13, 0, 1, 2, 3]))).toBe('binary')
    expect(await decoded(Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 89) % 256 || 1)))).toBe('binary')
    const long = Buffer.from('naïve café '.repeat(50))
    expect(await decoded(Buffer.concat([long, Buffer.from([0xc3])]))).toContain('naïve café naïve')
  })

  it('reports unclear encodings, and resolves them by other files', async () => {
    const sure = encode(COMMENTS[0]?.[1] ?? '', 'shift_jis')
    const unsure = Buffer.from(
      encode(`/* 在庫 */\n${'int f(int a) { return a; } /* plain text */\n'.repeat(40)}`, 'shift_jis'),
    )
    const alone = createDecoder()
    expect(await alone.decode(unsure)).toBe('encoding unclear')
    expect(alone.settle(unsure)).toBe('encoding unclear')
    const together = createDecoder()
    await together.decode(unsure)
    await together.decode(Buffer.from(sure))
    expect(together.settle(unsure)).toMatchObject({
      encoding: 'shift_jis',
      text: expect.stringContaining('/* 在庫 */'),
    })
  })
})
