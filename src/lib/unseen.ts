/**
 * What a terminal or a reader of logs would act upon without showing it: control characters (C0, DEL, C1), format characters
 * (bidirectional controls, zero-width characters, the byte order mark), other characters that show nothing, line and
 * paragraph separators, and halves of surrogate pairs.
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
 * Writes every character that cannot be seen as `\uXXXX`, as JSON does. JSON on one line stays JSON of the same value: such
 * characters stand only within its strings.
 */
export function escapeUnseen(text: string): string {
  return text.replace(UNSEEN, escape);
}

/** Long enough for every name that exists here and is near to what was meant. */
const LONGEST = 80;

/** A text of a caller within a sentence: in quotes, on one line, cut, with nothing in it that cannot be seen. */
export function quoted(text: string): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return `"${escapeUnseen(short)}"`;
}
