const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** 12 URL-safe characters: 72 random bits. */
export function drawId(random: () => number): string {
  return Array.from({ length: 12 }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join('');
}
