import { describe, expect, test } from 'vitest'
import { messagesOf } from '../text/messages'
import { openPicture, PictureError, pictureName, sniffPicture } from './pictures'

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0))

describe('pictures', () => {
  test.each([
    ['\x89PNG\r\n\x1a\n....', 'image/png'],
    ['\xff\xd8\xff\xe0.JFIF', 'image/jpeg'],
    ['RIFF....WEBPVP8 ', 'image/webp'],
    ['GIF89a......', 'image/gif'],
    ['GIF87a......', 'image/gif'],
    ['RIFF....WAVEfmt ', undefined],
    ['<svg xmlns=..', undefined],
    ['', undefined],
  ])('%j is %s', (head, type) => expect(sniffPicture(bytes(head))).toBe(type))

  test.each([
    [new Blob([]), 'is empty'],
    [new Blob(['hello, this is text']), 'not a PNG, JPEG, WebP or GIF'],
    [{ size: 60e6 } as Blob, 'larger than 50 MB'],
  ])('refuses %#: %s', async (blob, message) => {
    const refused = openPicture(blob, 'cat.png')
    await expect(refused).rejects.toThrow(PictureError)
    await expect(refused).rejects.toThrow(`cat.png`)
    await expect(refused).rejects.toThrow(message)
  })

  test('refuses in the language it is given', async () => {
    const { pictures } = messagesOf('de')
    await expect(openPicture(new Blob([]), 'Katze.png', pictures)).rejects.toThrow('Katze.png ist leer')
    expect(pictureName(new File([], 'image.png'), 1, pictures)).toBe('Bild 2')
  })

  test('pasted pictures get a name', () => {
    expect(pictureName(new File([], 'image.png'), 1)).toBe('Picture 2')
    expect(pictureName(new File([], 'cat.jpg'), 1)).toBe('cat.jpg')
  })
})
