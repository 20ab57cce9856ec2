"""English words that sound like others, for text as it is misheard."""

from __future__ import annotations

_LISTED = """
    their there there their they're their your you're you're your its it's it's its to too too to whose who's who's whose
    hear here here hear by buy buy by see sea sea see know no knew new new knew right write write right wear where where wear
    weather whether whether weather which witch witch which would wood wood would our hour hour our read reed red read
    made maid mail male male mail meet meat meat meet week weak weak week piece peace peace piece plane plain plain plane
    pair pear bear bare brake break break brake sale sail sail sale tail tale tale tail son sun sun son sum some some sum
    steel steal steal steel threw through through threw wait weight weight wait waist waste waste waist way weigh weigh way
    rain reign reign rain road rode rode road role roll roll role root route route root sight site site sight sent cent
    cell sell sell cell scene seen seen scene board bored bored board blue blew blew blue ate eight be bee bee be been bean
    bean been beach beech cereal serial serial cereal coarse course course coarse dear deer deer dear die dye dye die fair fare
    fare fair feat feet feet feat find fined flour flower flower flour for four great grate hair hare hare hair heal heel
    heel heal hole whole whole hole in inn inn in knight night night knight lead led led lead loan lone main mane mane main
    morning mourning mourning morning muscle mussel pain pane past passed passed past poor pour pour poor pray prey prey pray
    principal principle principle principal profit prophet sew sow sow sew sore soar soar sore stair stare stare stair
    stake steak steak stake than then then than tide tied tied tide toe tow tow toe vain vein vein vain wore war war wore
    worn warn warn worn guest guessed guessed guest aisle isle isle aisle air heir heir air allowed aloud aloud allowed
    cellar seller seller cellar chews choose choose chews creek creak creak creek days daze fur fir groan grown grown groan
    higher hire hire higher idle idol idol idle key quay lessen lesson lesson lessen minor miner miner minor missed mist
    mist missed not knot one won or oar ore oar pause paws paws pause peek peak peak peek rap wrap wrap rap real reel reel real
    ring wring side sighed sole soul soul sole tea tee tire tyre urn earn earn urn wails whales whales wails wine whine"""
_WORDS = _LISTED.split()
SOUNDS = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
"""What each word may be taken for."""
