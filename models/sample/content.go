package sample

import "tokentube/models"

// channel is a channel of the sample content, with its posts, oldest first.
type channel struct {
	username, name, bio, banner string
	posts                       []post
}

// post is a post of a channel. A video's file has a thumbnail next to it. A text post only has the text.
type post struct {
	kind        models.Kind
	title, text string
	alt, tags   string
	file        string // without its extension
	hours       int    // how old it is
	views       int
	talk        []remark
}

// remark is a comment, or a reply to one. The channel is its author.
type remark struct {
	by, text string
	replies  []remark
}

// playlist is a playlist of a channel, of posts by their titles.
type playlist struct {
	by, name, text string
	visibility     models.Visibility
	titles         []string
}

const (
	sky     = "northern-sky"
	machine = "small_machines"
	harbour = "harbour.notes"
	kitchen = "slow-kitchen"
	city    = "city.after.dark"
	paper   = "paper_and_ink"
	walker  = "the-long-way-round"
	quiet   = "quiet-hours"
)

const day = 24 // hours

// channels are the channels of the sample content. Whoever adds it logs in as the first one.
var channels = []channel{
	{sky, "Northern Sky", "Hills, weather and the hours when the light is good.", "mountains", []post{
		{models.Text, "", "New here. I look up a lot. Expect clouds, stars, and long waits for both.", "", "hello", "", 27 * day, 9, []remark{
			{quiet, "Welcome! Clouds are underrated.", []remark{{sky, "They're most of what I see, so I had to learn to like them.", nil}}},
		}},
		{models.Photo, "Two in the morning", "The camera saw more of it than I did: twenty seconds with the shutter open. #aurora", "Green northern lights over dark mountains and a lake", "sky,night,aurora", "lights", 22 * day, 61, []remark{
			{city, "I live under so many street lamps that I forgot the sky does this.", []remark{{sky, "An hour's drive helps. So does a power cut.", nil}}},
			{paper, "The greens! Which film is that?", []remark{{sky, "No film, just a long exposure and cold fingers.", nil}, {paper, "Then I'll mix it by hand.", nil}}},
		}},
		{models.Photo, "First light", "Worth getting up for.", "Violet hills behind one another, with a low sun above them", "sky,morning", "hills", 13 * day, 44, []remark{
			{walker, "I've walked the third ridge from the left. There's a bench, and no signal.", []remark{{sky, "Both good news.", nil}}},
		}},
		{models.Text, "", "Three nights of cloud. I have cleaned every lens I own, and two that I don't.", "", "sky,waiting", "", 7 * day, 17, []remark{
			{machine, "Send them over when you're done. I have a drawer.", nil},
		}},
		{models.Text, "", "Tonight the sky should be clear from ten o'clock. Look north, and give your eyes a quarter of an hour.", "", "sky,tonight", "", 2*day + 5, 38, []remark{
			{quiet, "Ten o'clock it is.", []remark{{sky, "See you on the hill!", nil}}},
			{harbour, "Cloud on the coast, as always. Tell us what we missed.", nil},
		}},
		{models.Video, "A balloon over the hills", "No wind to speak of. It took the whole morning.", "", "sky,balloon,morning", "balloon", 5, 52, []remark{
			{walker, "How long did you wait for that?", []remark{{sky, "Two hours. I brought tea.", nil}}},
			{kitchen, "This is what I put on while the bread rises.", nil},
		}},
	}},
	{machine, "Small Machines", "Things that move, taken apart and put together again.", "silk", []post{
		{models.Text, "", "A tip for anyone who repairs old clocks: photograph every step of taking it apart. The parts will not remember where they belong.", "", "clocks,repair", "", 26 * day, 33, []remark{
			{kitchen, "The same goes for pasta machines. Ask me how I know.", []remark{{machine, "How many screws were left over?", nil}, {kitchen, "Four. It still works, which worries me.", nil}}},
		}},
		{models.Video, "Thirteen pendulums, let go at once", "After eight seconds they meet again. Each swings once more often than the one before it.", "", "physics,pendulums", "pendulums", 19 * day, 88, []remark{
			{paper, "I drew along with this until my wrist hurt.", nil},
			{sky, "Why thirteen?", []remark{{machine, "The twelfth looked lonely at the end of the row.", nil}}},
		}},
		{models.Text, "", "The workshop clock gains four minutes a week. I've decided that it's the week that is slow.", "", "clocks", "", 12 * day, 21, nil},
		{models.Photo, "Study in blue", "From the notebook: what two waves make when they are added. @paper_and_ink did the colours.", "Blue and violet waves drawn over one another", "drawing,waves", "waves", 9 * day, 35, []remark{
			{paper, "I only mixed what you measured!", nil},
		}},
		{models.Text, "", "Found the missing spring. It was in my shoe, where it had been since Tuesday.", "", "repair", "", 4*day + 3, 27, []remark{
			{walker, "That explains the limp.", nil},
			{quiet, "Somewhere a clock is relieved.", nil},
		}},
		{models.Video, "Four planets, one sun", "Each keeps its own time. The outer ones are in no hurry.", "", "orbits,physics", "orbits", 1*day + 2, 63, []remark{
			{sky, "Finally, planets that aren't behind a cloud.", []remark{{machine, "Brass doesn't evaporate.", nil}}},
			{quiet, "I let this run while falling asleep. Recommended.", nil},
		}},
	}},
	{harbour, "Harbour Notes", "Short notes and pictures from the water's edge.", "bay", []post{
		{models.Text, "", "Counted eleven herons on the old wall this morning. Yesterday there were three. I'm not telling anyone where the wall is.", "", "birds", "", 24 * day, 26, []remark{
			{walker, "I know where the wall is.", []remark{{harbour, "Please be quiet about it. So are they.", nil}}},
		}},
		{models.Photo, "Last boat home", "The tide was half a metre above the table.", "A sailing boat in front of a red sunset", "sea,evening", "sunset", 17 * day, 58, []remark{
			{paper, "Are the colours real?", []remark{{harbour, "They are. I only made it a little darker.", nil}}},
		}},
		{models.Text, "", "The ferry now leaves at ten past instead of on the hour. You have ten more minutes for your coffee.", "", "ferry", "", 11 * day, 19, []remark{
			{kitchen, "Ten minutes is exactly one more bun.", nil},
		}},
		{models.Photo, "Morning, before the boats", "The bay is never this empty after seven.", "A wide bay in low sun, with one small sail far out", "sea,morning", "bay", 6 * day, 31, nil},
		{models.Video, "Passing by", "Nothing happens, slowly.", "", "sea,evening", "boat", 2*day + 9, 47, []remark{
			{quiet, "My favourite genre.", nil},
			{city, "Watched it twice to see whether anything would happen. Thank you for keeping your word.", nil},
		}},
	}},
	{kitchen, "The Slow Kitchen", "Cooking for people who forgot that they were hungry.", "sunset", []post{
		{models.Text, "", "Rule one: salt the water. Rule two: taste it. If it doesn't remind you of the sea, ask @harbour.notes what that is like.", "", "basics,pasta", "", 25 * day, 29, []remark{
			{harbour, "Cold, mostly.", nil},
		}},
		{models.Text, "", "Bread, day one: flour, water, and nothing else to do. Day two: the same. Day three: it begins to smell of something.", "", "bread", "", 16 * day, 24, []remark{
			{machine, "Is there a version with gears?", []remark{{kitchen, "The oven has a knob.", nil}}},
		}},
		{models.Text, "", "Onions want half an hour. Every recipe that says five minutes was written by somebody in a hurry.", "", "basics,onions", "", 8 * day, 41, []remark{
			{walker, "Half an hour of onions, four hours of walking. A balanced day.", nil},
			{sky, "I once gave them an exposure of a full hour.", []remark{{kitchen, "That's jam. Also good.", nil}}},
		}},
		{models.Video, "While the dough rests", "Forty minutes of resting, told in six seconds of somebody else's balloon. Filmed by @northern-sky.", "", "bread,waiting", "balloon", 3 * day, 22, []remark{
			{sky, "It rose well.", nil},
		}},
		{models.Text, "", "Soup freezes. Soup with potatoes in it freezes, and never forgives you.", "", "soup", "", 14, 18, nil},
	}},
	{city, "City After Dark", "Windows, rooftops, and whoever is still up.", "skyline", []post{
		{models.Photo, "Lights across the bay", "Every lit window is somebody who should be asleep.", "A skyline at night, mirrored in the water", "night,city", "skyline", 21 * day, 54, []remark{
			{quiet, "Third row, second from the right. Hello.", []remark{{city, "I knew it.", nil}}},
		}},
		{models.Text, "", "The night bus had one passenger, a cello. It had paid.", "", "night,bus", "", 14 * day, 36, []remark{
			{paper, "I need to draw this.", []remark{{city, "Please do. It had the window seat.", nil}}},
		}},
		{models.Text, "", "If you walk along the river after midnight, the bakery sells its first rolls from the back door. You didn't hear it from me.", "", "night,bread", "", 6*day + 8, 32, []remark{
			{kitchen, "Everybody heard it from you.", nil},
		}},
		{models.Photo, "Moon over the roofs", "Same place, an hour later. Somebody turned the moon up.", "A full moon over dark roofs with lit windows", "night,city,moon", "skyline", 1*day + 20, 28, nil},
	}},
	{paper, "Paper and Ink", "Drawings, mistakes, and drawings of mistakes.", "waves", []post{
		{models.Text, "", "I bought a better pen. My drawings are now wrong in a much finer line.", "", "pens", "", 23 * day, 25, []remark{
			{machine, "The tool can only do so much.", nil},
		}},
		{models.Photo, "Folded paper, blue to violet", "Eleven sheets, one lamp, no plan.", "Layers of folded paper from turquoise to violet", "paper,colour", "silk", 18 * day, 39, []remark{
			{sky, "I thought that it was mist between hills.", []remark{{paper, "It is now.", nil}}},
		}},
		{models.Text, "", "Exercise for today: draw your hand without looking at the paper. Then look. Then laugh. #dailydrawing", "", "exercise", "", 10 * day, 30, []remark{
			{quiet, "I appear to have six fingers and a beak.", []remark{{paper, "Excellent. Keep it.", nil}}},
			{walker, "Did it on a train. It's a map now.", nil},
		}},
		{models.Video, "Drawing machine, first run", "The pendulums belong to @small_machines. I only brought the paper.", "", "drawing,pendulums", "pendulums", 5 * day, 43, []remark{
			{machine, "They've never been so well dressed.", nil},
		}},
		{models.Text, "", "There is no such thing as a wrong line. There are lines that haven't been given a hat yet.", "", "drawing", "", 10, 23, nil},
	}},
	{walker, "The Long Way Round", "On foot, mostly lost, always fed.", "hills", []post{
		{models.Text, "", "Day 1. Eighteen kilometres, of which fourteen were intended.", "", "walking", "", 20 * day, 22, []remark{
			{kitchen, "What did you eat?", []remark{{walker, "Your onions.", nil}}},
		}},
		{models.Text, "", "Day 4. A farmer told me that the path was closed, then walked it with me to show me where.", "", "walking", "", 17*day + 6, 34, nil},
		{models.Photo, "Day 9, from the pass", "The lake on the map is real. The bridge on the map is history.", "Jagged mountains above a lake at night, under a bright moon", "walking,mountains", "mountains", 12 * day, 46, []remark{
			{sky, "That's my banner! From the other side, I think.", []remark{{walker, "Then I waved at you.", nil}}},
		}},
		{models.Text, "", "What I packed and never used: a second pot, a third map, an alarm clock. What I missed: a spoon.", "", "walking,packing", "", 4 * day, 37, []remark{
			{machine, "I'll take the alarm clock.", nil},
			{kitchen, "No spoon. I need to sit down.", nil},
		}},
		{models.Text, "", "Home. The kettle and I have so much to tell each other.", "", "walking", "", 20, 26, []remark{
			{harbour, "Welcome back! The herons asked about you.", nil},
		}},
	}},
	{quiet, "Quiet Hours", "Notes for people who are awake at the wrong time.", "lights", []post{
		{models.Text, "", "It's four in the morning. If you are reading this: drink a glass of water, and leave tomorrow's problems where they are.", "", "night", "", 15 * day, 49, []remark{
			{city, "Done. The water, at least.", nil},
			{kitchen, "The dough says hello. It never sleeps either.", nil},
		}},
		{models.Video, "Eight seconds of orbit", "Breathe in for one round of the small planet, and out for the next. Built by @small_machines.", "", "calm,orbits", "orbits", 9*day + 4, 40, []remark{
			{paper, "I lost count, which was probably the point.", nil},
		}},
		{models.Photo, "Seen from the kitchen window", "A very large window, I admit.", "Northern lights in green bands over a row of mountains", "night,sky", "lights", 3*day + 7, 33, []remark{
			{sky, "Wait. Which kitchen is this?", []remark{{quiet, "A borrowed one.", nil}}},
		}},
		{models.Text, "", "A list of sounds at night, by distance: the fridge, the stairs, a train, the sea.", "", "night,lists", "", 3, 20, []remark{
			{harbour, "I can confirm the last one.", nil},
		}},
	}},
}

// playlists are the lists that some channels keep.
var playlists = []playlist{
	{sky, "Worth getting up for", "What I'd show somebody who thinks that mornings are a rumour.", models.Public, []string{
		"First light", "Morning, before the boats", "A balloon over the hills", "Last boat home",
	}},
	{quiet, "For the small hours", "Nothing in here is loud.", models.Public, []string{
		"Passing by", "Four planets, one sun", "Two in the morning", "Lights across the bay", "Thirteen pendulums, let go at once",
	}},
	{sky, "Ideas for the long lens", "", models.Private, []string{"Moon over the roofs", "Day 9, from the pass"}},
}

// later are the titles in the first channel's Watch later list, and watched those in its history.
var (
	later   = []string{"Eight seconds of orbit", "Drawing machine, first run", "While the dough rests"}
	watched = []string{"Thirteen pendulums, let go at once", "Study in blue", "Last boat home", "Passing by", "Four planets, one sun"}
)
