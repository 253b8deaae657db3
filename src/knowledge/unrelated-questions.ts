/**
 * Questions that are unrelated to any team's knowledge. The cosines between them and a collection show the level and
 * spread of an embedder's cosines between unrelated texts, which differ between models and between collections.
 * @module
 */

/** Questions of everyday length and form, from many fields. Changing one changes every measured scale. */
export const UNRELATED_QUESTIONS: readonly string[] = [
  'Which spices go into a Moroccan lamb stew?',
  'How often should a lemon tree on a balcony be watered in winter?',
  'Who won the bicycle race through the Alps last summer?',
  'What is the best time of year to see puffins in Iceland?',
  'How do I remove candle wax from a woollen carpet?',
  'Why do bakers let sourdough rest overnight?',
  'Which muscles does swimming backstroke train?',
  'How long does the ferry to the islands take?',
  'What did knights eat before a tournament?',
  'How can I stop my dog from barking at the postman?',
  'Where does the river Danube reach the sea?',
  'Which vaccinations does a kitten need in its first year?',
  'How is a violin tuned by ear?',
  'What makes the leaves of maples turn red in autumn?',
  'When was the cathedral in the old town consecrated?',
  'How much flour do I need for twelve pancakes?',
  'Which painter is known for pictures of water lilies?',
  'What helps against a stiff neck after a long flight?',
  'How do bees find their way back to the hive?',
  'Can I grow potatoes in a bucket on the terrace?',
  'What is the offside rule in football?',
  'How deep is the deepest lake in the world?',
  'Which knot holds a boat at the quay?',
  'Why does the moon look larger near the horizon?',
]
