"""Invented names, numbers and places, such that none can be taken for a real one.

NHS numbers are of the test range (999...), postcodes begin with a letter that no postcode area begins with, telephone
numbers are of the range that is kept free for plays (0191 498 0...). Numbers carry their right check digits.
"""

from random import Random


def _listed(names: str) -> list[str]:
    return names.split(", ")


FORENAMES = _listed(
    "Abrielle, Aldo, Anwen, Asmara, Bexley, Brannoc, Calder, Cerys, Corin, Dalia, Davin, Delphi, Edda, Elowen, Emrys, "
    "Fadil, Fenna, Finlo, Gala, Garan, Hadley, Havel, Idris, Ilsa, Imre, Jorah, Junia, Kasper, Keziah, Kirra, Lando, "
    "Leocadia, Linnet, Maelis, Mirela, Mungo, Nadim, Nerys, Niko, Odalys, Orrin, Ottilie, Perran, Petra, Quill, Rafe, "
    "Renske, Rowena, Saffi, Senan, Sorrel, Tamsin, Tavin, Tesni, Ulla, Ursel, Vanya, Viggo, Wilfa, Wren, Xanthe, "
    "Yaelle, Yorick, Zadie, Zephan"
)
SURNAMES = _listed(
    "Abernorth, Ashwater, Barrowmoss, Beckhollow, Birkmoor, Bracklow, Calderby, Carrowfell, Copplestane, Crakehill, "
    "Dunmarsh, Eastrigg, Ellerbeck-Tarn, Fallowdene, Fernhaugh, Garthwell, Gillmere, Hallowbeck, Harrowfield, "
    "Hazelrigge, Inglewath, Jarrowby, Kelderstone, Larkhope, Lintonmoor, Marsdale, Millhaugh, Netherwath, Oakshawe, "
    "Otterhaugh, Penbeck, Quarrelmoor, Ravenhope, Rookdale, Saltersgill, Stanehope, Thornwath, Tindalebeck, "
    "Ulverstane, Wardlehope, Westerhaugh, Yarrowmere"
)
STREETS = _listed(
    "Alder, Bramble, Cinder, Drover, Elder, Foundry, Glebe, Harbour, Ivy, Keel, Ladle, Mallow, Nettle, Orchard, "
    "Plover, Quay"
)
TOWNS = _listed("Nether Wearside, Port Wearside, Upper Wearside, Wearside Bank")
SCHOOLS = _listed("Bramble Lane Primary, Foundry Road Academy, Keel Street Infants, Mallow Park School, Plover High")
RELATIONS = _listed("mother, father, grandmother, stepfather, aunt")
UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"

ACCOUNTS = (
    "A neighbour rang about shouting, and when we came in the child stood behind the door in the hall, shaking. The "
    "child had heard all of it from the stairs and had tried to phone an aunt.",
    "The child came down in night clothes while the adults argued, stepped between them, and was pushed aside. There "
    "was no food in the kitchen, and the child said that this is how most weekends go.",
    "Staff saw that the child flinched when a man raised his arm. Later the child drew the family with one person "
    "outside the house, and would not say who it was or why he may not come in.",
    "For the third time in a fortnight the child was alone until late. The heating was off, a younger one was asleep "
    "on the floor, and the child had cooked for both and was worried about the stove.",
    "An older person waits near the gate most afternoons with a car and gives the child lifts and a telephone. The "
    "child is tired, has new shoes that nobody bought, and has begun to stay out at night.",
)
WORDS = (
    "I counted until it was quiet.",
    "I don't want him to come back.",
    "Mum cries when it is dark.",
    "I look after my brother.",
    "He said it is our secret, and I do not like it.",
)
DEMEANOUR = (
    "Quiet, held on to a blanket, watched the door.",
    "Chatty with us, silent when the adult came in.",
    "Tearful, then asleep on the sofa.",
    "Tired and cold, ate at once when given food.",
)
RATIONALES = (
    "The child was in the room and it has happened before.",
    "The adult has left and the child is with family for tonight.",
    "The child is young, cannot leave, and nobody else was there.",
    "What the child said matches what was seen.",
)


def nhs_number(chance: Random) -> str:
    """A number of the test range with its check digit."""
    while (found := nhs_number_of(f"999{chance.randrange(10**6):06d}")) is None:
        pass
    return found


def nhs_number_of(digits: str) -> str | None:
    """Nine digits and their check digit; None where there is none for them."""
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
    return digits + str(check % 11) if check != 10 else None


def upn(chance: Random) -> str:
    """A unique pupil number with its check letter."""
    digits = f"{chance.randrange(10**12):012d}"
    return (
        UPN_LETTERS[sum(int(digit) * weight for digit, weight in zip(digits, range(2, 14), strict=True)) % 23] + digits
    )


def address(chance: Random) -> str:
    """A street and town that are not there."""
    return f"{chance.randrange(1, 180)} {chance.choice(STREETS)} Street, {chance.choice(TOWNS)}"


def postcode(chance: Random) -> str:
    """A postcode of an area that does not exist."""
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    inward = chance.choice(letters) + chance.choice(letters)
    return f"Q{chance.choice('VXZ')}{chance.randrange(1, 20)} {chance.randrange(1, 10)}{inward}"


def telephone(chance: Random) -> str:
    """A number kept free for plays."""
    return f"0191 498 0{chance.randrange(1000):03d}"


def person(chance: Random) -> tuple[str, str]:
    """Forename and surname."""
    return chance.choice(FORENAMES), chance.choice(SURNAMES)
