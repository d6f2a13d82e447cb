/**
 * Characters that a terminal or a log viewer acts upon without showing them: control characters
 * (C0, DEL, C1), format characters (bidirectional controls, zero-width characters, the byte order
 * mark), other characters that show nothing, line and paragraph separators, and halves of surrogate
 * pairs.
 * https://www.unicode.org/reports/tr36/ §2.5 and §3.1
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

function escape(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    const unit = character.charCodeAt(index).toString(16).padStart(4, '0');
    return `\\u${unit}`;
  }).join('');
}

/**
 * Writes every unseen character as `\uXXXX`, as JSON does. JSON on one line stays JSON of the same
 * value, because such characters occur only within its strings.
 */
export function escapeUnseen(text: string): string {
  return text.replace(UNSEEN, escape);
}

/** The longest quotation: every real name, and every slip of one, is shorter. */
const LONGEST = 80;

/**
 * A caller's text for use in a sentence: in quotes, on one line, cut, and with its unseen
 * characters escaped.
 */
export function quoted(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return `"${escapeUnseen(short)}"`;
}
