/** Nobody can try all texts of sixteen random characters. AWS's own secrets have forty. */
export const MIN_SECRET_LENGTH = 16;

/** A random secret of that length has at least so many different characters. */
const MIN_DISTINCT = 8;

/**
 * Words that people and templates write into secrets, the longest first so that `password` is found
 * before `pass`. From public lists of common passwords, and from the field.
 */
const WORDS = [
  'abcdefghijklmnopqrstuvwxyz abcd abc xyz qwertyuiop asdfghjkl zxcvbnm qwertz qwerty azerty asdfgh asdf zxcv qwer',
  'administrator passphrase placeholder production credential supersecret development staging testing example default',
  'password passwort passwd pass word secret private geheim changeme change letmein welcome replace insert please',
  'iloveyou sunshine princess football baseball superman trustno dragon monkey master shadow michael hunter hello',
  'correct horse battery staple admin login client guest user root token access sentinel amazon demo test prod dev',
  'unknown nothing none null todo super your here this that with not the for and key aws tvm my is me',
]
  .flatMap((line) => line.split(' '))
  .toSorted((a, b) => b.length - a.length);

const SHORTEST_WORD = 3;

/** Digits and signs that people write instead of letters. */
const LEET: ReadonlyMap<string, string> = new Map(
  ['0o', '1i', '3e', '4a', '5s', '7t', '$s', '@a', '!i'].map((pair) => [
    pair.charAt(0),
    pair.charAt(1),
  ]),
);

/** Secrets in AWS's documentation, which every scanner knows. */
const DOCUMENTED = /examplekey$/iu;

/** Secrets of the demo documents, which are public. */
const DEMO = /^demo-[a-z]+-not-a-secret$/u;

/** Whether a secret is one of the demo's. */
export function isDemoSecret(secret: string): boolean {
  return DEMO.test(secret);
}

/**
 * Whether a secret can be guessed: it is too short, has few different characters, is a repetition,
 * a row of the alphabet or keyboard, or consists of known words and the caller's own name. Does not
 * measure entropy, and does not recognise a secret that leaked.
 *
 * @param name the caller's name in policies
 */
export function isWeakSecret(secret: string, name: string): boolean {
  const lower = secret.toLowerCase();
  if (
    secret.length < MIN_SECRET_LENGTH ||
    new Set(secret).size < MIN_DISTINCT ||
    DOCUMENTED.test(secret)
  )
    return true;
  return isRepetition(lower) || isRow(lower) || isOfWords(lower, name.toLowerCase());
}

/** Whether a text is a shorter text repeated, perhaps cut off at the end. */
function isRepetition(text: string): boolean {
  const half = Math.floor(text.length / 2);
  return Array.from({ length: half }, (_, at) => at + 1).some((period) =>
    text.startsWith(text.slice(period)),
  );
}

/** Whether three in four characters are neighbours of the one before, or the same. */
function isRow(text: string): boolean {
  const steps = Array.from(text.slice(1), (character, at) =>
    Math.abs(character.charCodeAt(0) - text.charCodeAt(at)),
  );
  return steps.filter((step) => step <= 1).length >= steps.length * 0.75;
}

function isOfWords(text: string, name: string): boolean {
  // Enough random digits make a secret strong whatever words are around them.
  const digits = text.replaceAll(/\D/gu, '');
  if (digits.length >= MIN_SECRET_LENGTH && !isRow(digits) && !isRepetition(digits)) return false;
  const plain = Array.from(text, (character) => LEET.get(character) ?? character).join('');
  return [text, plain].some((each) => lettersLeft(each, name) === 0);
}

function lettersLeft(text: string, name: string): number {
  const own = name.replaceAll(/[^a-z]/gu, '');
  const words = own.length < SHORTEST_WORD ? WORDS : [own, ...WORDS];
  const rest = words.reduce(
    (left, word) => left.replaceAll(word, ' '),
    text.replaceAll(/[^a-z]/gu, ''),
  );
  return rest.replaceAll(' ', '').length;
}
