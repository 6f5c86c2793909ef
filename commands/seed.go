package commands

import (
	"context"
	"crypto/rand"
	"embed"
	"flag"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/media"
	"tokentube/utils/password"
	"tokentube/utils/picture"
)

// sampleFiles are the pictures and clips. samples/README.md says how they were made.
//
//go:embed samples/*.jpg samples/*.mp4
var sampleFiles embed.FS

// sampleChannel is a channel of the sample content.
type sampleChannel struct {
	username, name, bio, banner string
	posts                       []samplePost
}

// samplePost is a post of it. A video's file has its thumbnail beside it.
type samplePost struct {
	kind        models.Kind
	title, text string // of a text post only text
	alt, tags   string
	file        string // without its ending
	age         time.Duration
}

const day = 24 * time.Hour

var seedCommand = command{
	name:  "seed",
	brief: "add three channels of sample content",
	help: `The pictures and clips are drawn and free to use. It prints how to log in as one of the
channels, and refuses where they are there already.

With the embedded database the site must be stopped; with MONGODB_URI it may run.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return func(ctx context.Context, s Site) error {
			return s.with(ctx, func(data *Data) error { return Seed(ctx, data, s.Config.BcryptCost, s.Out) })
		}, err
	},
}

var samples = []sampleChannel{
	{
		username: "northern-sky", name: "Northern Sky", banner: "mountains",
		bio: "Hills, weather and the hours when the light is good.",
		posts: []samplePost{
			{models.Video, "A balloon over the hills", "No wind to speak of. It took the whole morning.", "", "sky,balloon", "balloon", 3 * time.Hour},
			{models.Photo, "First light", "Worth getting up for.", "Violet hills behind one another, a low sun above them", "sky,morning", "hills", 26 * time.Hour},
			{models.Photo, "Two in the morning", "The camera saw more of it than we did.", "Green northern lights over dark mountains", "sky,night", "lights", 4 * day},
			{models.Text, "", "Tonight the sky should be clear from ten o'clock. Look north, and give your eyes a quarter of an hour.", "", "sky", "", 7 * time.Hour},
		},
	},
	{
		username: "small_machines", name: "Small Machines", banner: "silk",
		bio: "Things that move, taken apart and put together again.",
		posts: []samplePost{
			{models.Video, "Four planets, one sun", "Each keeps its own time.", "", "orbits", "orbits", 40 * time.Minute},
			{models.Video, "Thirteen pendulums, let go at once", "After eight seconds they meet again. Each swings once more often than the one before it.", "", "physics,pendulums", "pendulums", 20 * time.Hour},
			{models.Photo, "Study in blue", "From the notebook.", "Blue and violet waves drawn over one another", "drawing", "waves", 9 * time.Hour},
			{models.Text, "", "A tip for anyone who repairs old clocks: photograph every step of taking it apart. The parts will not remember where they belong.", "", "clocks,repair", "", 30 * time.Hour},
		},
	},
	{
		username: "harbour.notes", name: "Harbour Notes", banner: "bay",
		bio: "Short notes and pictures from the water's edge.",
		posts: []samplePost{
			{models.Photo, "Last boat home", "The tide was half a metre above the table.", "A sailing boat before a red sunset", "sea,evening", "sunset", 90 * time.Minute},
			{models.Photo, "Lights across the bay", "", "A skyline at night, mirrored in the water", "night,city", "skyline", 3 * day},
			{models.Video, "Passing by", "Nothing happens, slowly.", "", "sea,evening", "boat", 12 * time.Hour},
			{models.Text, "", "The ferry now leaves at ten past instead of on the hour. You have ten more minutes for your coffee.", "", "ferry", "", 5 * time.Hour},
			{models.Text, "", "Counted eleven herons on the old wall this morning. Yesterday there were three.", "", "birds", "", 2 * day},
		},
	},
}

// Seed adds three channels with a few posts of each kind, so that a living site can
// be seen at once. It says how to log in as one of them.
func Seed(ctx context.Context, app *Data, cost int, out io.Writer) error {
	hasher, err := password.NewHasher(cost)
	if err != nil {
		return err
	}
	secret := rand.Text()
	hash, err := hasher.Hash(ctx, secret, password.Turn{})
	if err != nil {
		return err
	}
	var users, posts []bson.ObjectID
	for _, channel := range samples {
		user, err := seedChannel(ctx, app, channel, hash)
		if apperr.Is(err, apperr.Conflict) {
			return fmt.Errorf("the sample content was already added: the channel %s exists", channel.username)
		} else if err != nil {
			return err
		}
		users = append(users, user.ID)
		for _, sample := range channel.posts {
			post, err := seedPost(ctx, app, user, sample)
			if err != nil {
				return err
			}
			posts = append(posts, post)
		}
	}
	if err := seedReactions(ctx, app, users, posts); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "Added %d channels with %d posts. Log in as %s with the password %s\n",
		len(users), len(posts), samples[0].username, secret)
	return err
}

func seedChannel(ctx context.Context, app *Data, channel sampleChannel, hash string) (*models.User, error) {
	user := &models.User{
		Username: channel.username, Email: channel.username + "@example.com", FullName: channel.name,
		Bio: channel.bio, PasswordHash: hash, CreatedAt: time.Now().Add(-60 * day).UTC(),
	}
	if err := app.Users.Check(ctx, user); err != nil {
		return nil, err
	}
	var err error
	if user.Avatar, err = app.Media.SaveInitials(ctx, picture.Initials(channel.name)); err != nil {
		return nil, err
	}
	err = withPicture(ctx, app, channel.banner+".jpg", func(p *media.Picture) (err error) {
		user.CoverImage, err = app.Media.SaveCover(ctx, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return user, app.Users.Create(ctx, user)
}

func seedPost(ctx context.Context, app *Data, owner *models.User, sample samplePost) (bson.ObjectID, error) {
	published := time.Now().Add(-sample.age).UTC()
	post := &models.Post{
		Owner: owner.ID, Kind: sample.kind, Title: sample.title, Description: sample.text, Alt: sample.alt,
		Tags: models.ParseTags(sample.tags), Visibility: models.Public, PublishedAt: &published,
	}
	var err error
	switch sample.kind {
	case models.Video:
		err = seedVideo(ctx, app, post, sample.file)
	case models.Photo:
		err = seedPhoto(ctx, app, post, sample.file)
	}
	if err != nil {
		return post.ID, err
	}
	err = app.Posts.Create(ctx, post)
	return post.ID, err
}

func seedVideo(ctx context.Context, app *Data, post *models.Post, name string) error {
	err := withSample(name+".mp4", func(file io.Reader) error {
		video, err := app.Media.SaveVideo(ctx, file)
		post.Media, post.Duration, post.Size = video.Name, video.Duration, video.Size
		post.Width, post.Height = video.Width, video.Height
		return err
	})
	if err != nil {
		return err
	}
	return withPicture(ctx, app, name+".jpg", func(p *media.Picture) (err error) {
		post.Thumbnail, err = app.Media.SaveThumbnail(ctx, p)
		return err
	})
}

func seedPhoto(ctx context.Context, app *Data, post *models.Post, name string) error {
	return withPicture(ctx, app, name+".jpg", func(p *media.Picture) error {
		photo, err := app.Media.SavePhoto(ctx, p)
		post.Media, post.Thumbnail, post.Size = photo.Name, photo.Thumbnail, photo.Size
		post.Width, post.Height = photo.Width, photo.Height
		return err
	})
}

// withPicture opens one of the pictures.
func withPicture(ctx context.Context, app *Data, name string, use func(*media.Picture) error) error {
	return withSample(name, func(file io.Reader) error {
		p, err := app.Media.Receive(ctx, name, file)
		if err != nil {
			return err
		}
		return use(p)
	})
}

// withSample opens one of the files.
func withSample(name string, use func(io.Reader) error) error {
	file, err := sampleFiles.Open("samples/" + name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return use(file)
}

// sampleTalk is what is said about the first posts, and the reply to it.
var sampleTalk = [][2]string{
	{"How long did you wait for that?", "Two hours. I brought tea."},
	{"The colours are real?", "They are. I only made it a little darker."},
	{"Saved for the next clear night.", "Take a second battery with you, they don't like the cold."},
	{"Ten o'clock it is.", "See you on the hill!"},
}

// seedReactions lets the channels look at, like and talk about one another's posts, and follow one another.
func seedReactions(ctx context.Context, app *Data, users, posts []bson.ObjectID) error {
	for i, user := range users {
		if err := app.Subscriptions.Add(ctx, user, users[(i+1)%len(users)]); err != nil {
			return err
		}
		if err := app.Playlists.AddLater(ctx, user, posts[i]); err != nil {
			return err
		}
	}
	for i, words := range sampleTalk {
		c := &models.Comment{Owner: users[i%len(users)], Post: posts[i], Content: words[0]}
		if err := app.Comments.Create(ctx, c); err != nil {
			return err
		}
		answer := &models.Comment{Owner: users[(i+1)%len(users)], Post: posts[i], Parent: c.ID, Content: words[1]}
		if err := app.Comments.Create(ctx, answer); err != nil {
			return err
		}
	}
	for i, post := range posts {
		for viewer := range 3 + i*7%23 {
			if _, err := app.Views.Add(ctx, post, fmt.Sprint("sample viewer ", viewer)); err != nil {
				return err
			}
		}
		for j, user := range users {
			if (i+j)%3 == 0 {
				continue
			}
			if err := app.Likes.Add(ctx, user, post); err != nil {
				return err
			}
		}
	}
	return nil
}
