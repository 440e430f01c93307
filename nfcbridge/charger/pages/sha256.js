// SHA-256 (FIPS 180-4). Browsers keep crypto.subtle from pages that came over plain HTTP from another machine, which is
// where a password must not go out as it is; so this page hashes by itself, everywhere alike.

// The first 32 bits of the fractional parts of the roots of the first primes: square roots for the initial hash value
// (section 5.3.3), cube roots for the constants (section 4.2.2). Doubles are exact enough for 32 bits.
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) >>> 0;
const primes = [];
for (let n = 2; primes.length < 64; n++) {
  if (primes.every((prime) => n % prime)) primes.push(n);
}
const INITIAL = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const CONSTANTS = primes.map((prime) => fraction(Math.cbrt(prime)));

const rotate = (word, bits) => (word >>> bits) | (word << (32 - bits));

// The message, a 1 bit, zeros, and the length in bits as 64 bits: a whole number of blocks of 64 octets (section 5.1.1).
function padded(octets) {
  const blocks = new Uint8Array(Math.ceil((octets.length + 9) / 64) * 64);
  blocks.set(octets);
  blocks[octets.length] = 0x80;
  const view = new DataView(blocks.buffer);
  view.setUint32(blocks.length - 8, Math.floor(octets.length / 2 ** 29));
  view.setUint32(blocks.length - 4, octets.length << 3);
  return view;
}

/** The hash of a text in UTF-8, as 64 hexadecimal digits in lower case. */
export function sha256(text) {
  const message = padded(new TextEncoder().encode(text));
  const hash = Uint32Array.from(INITIAL);
  const words = new Uint32Array(64);
  for (let start = 0; start < message.byteLength; start += 64) {
    for (let t = 0; t < 16; t++) words[t] = message.getUint32(start + 4 * t);
    for (let t = 16; t < 64; t++) {
      const [w2, w15] = [words[t - 2], words[t - 15]];
      const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3);
      const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10);
      words[t] = s1 + words[t - 7] + s0 + words[t - 16];
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let t = 0; t < 64; t++) {
      const choice = (e & f) ^ (~e & g);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + CONSTANTS[t] + words[t];
      const t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority;
      [a, b, c, d, e, f, g, h] = [(t1 + t2) | 0, a, b, c, (d + t1) | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { hash[i] += word; });
  }
  return Array.from(hash, (word) => word.toString(16).padStart(8, "0")).join("");
}
