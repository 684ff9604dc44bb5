package admin

import (
	"context"
	"errors"
	"time"

	"causeway/internal/identity"
)

const (
	docCreateToken = `Makes a token for scripts, which send it as ` + "`Authorization: Bearer`" + `. The answer is the only place where it is ever shown.
It belongs to the account that asks and never gives more than what it was asked with: not a higher role, and, asked with a token, not a later end.`
	docListTokens  = `Your tokens, the newest first. The tokens themselves are not kept; hint is how one begins.`
	docDeleteToken = `Revokes one of your tokens at once.`
)

type createTokenInput struct {
	Body struct {
		Name    string    `json:"name" minLength:"1" maxLength:"100" example:"nightly report" doc:"What the token is for, so that you will know it again."`
		Role    string    `json:"role,omitempty" enum:"viewer,admin" example:"viewer" doc:"What the token may do; by default what you may."`
		Expires time.Time `json:"expires,omitzero" format:"date-time" example:"2027-01-01T00:00:00Z" doc:"When it ends; by default never."`
	} `nameHint:"NewToken"`
}

// Token is a personal access token without its secret.
type Token struct {
	ID       string `json:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"Names the token in DELETE /api/v1/tokens/{id}."`
	Name     string `json:"name" example:"nightly report" doc:"What it is for."`
	Hint     string `json:"hint" example:"cw_pat_k3vx****" doc:"How the token begins."`
	Role     string `json:"role" enum:"viewer,admin" example:"viewer" doc:"What it may do, if its account still may."`
	Created  string `json:"created" format:"date-time" example:"2026-11-23T04:05:06.789Z" doc:"When it was made."`
	Expires  string `json:"expires,omitempty" format:"date-time" example:"2027-01-01T00:00:00.000Z" doc:"When it ends. Missing: never."`
	LastUsed string `json:"last_used,omitempty" format:"date-time" example:"2026-11-23T05:06:00.000Z" doc:"When it was last used, to the minute. Missing: never."`
}

// CreatedToken is a new token with its secret.
type CreatedToken struct {
	Secret string `json:"token" example:"cw_pat_k3vx..." doc:"The token. It is shown here and never again."`
	Token
}

type createTokenOutput struct{ Body CreatedToken }

func (a *api) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	who := visitOf(ctx).who
	secret, t, err := a.Accounts.CreateToken(ctx, who, identity.NewToken{
		Name:    in.Body.Name,
		Role:    identity.Role(in.Body.Role),
		Expires: in.Body.Expires,
	})
	if err != nil {
		return nil, err
	}
	a.Log.InfoContext(ctx, "access token made", "username", who.Account, "token", t.ID, "role", string(t.Role))
	return &createTokenOutput{CreatedToken{Secret: secret, Token: tokenView(t)}}, nil
}

type listTokensInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many to return at most."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
}

// TokenList is a page of tokens.
type TokenList struct {
	Tokens     []Token `json:"tokens" nullable:"false" doc:"The newest first."`
	NextCursor string  `json:"next_cursor,omitempty" doc:"cursor of the next page. Missing: this is the last."`
}

type listTokensOutput struct{ Body TokenList }

func (a *api) listTokens(ctx context.Context, in *listTokensInput) (*listTokensOutput, error) {
	before, err := readCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	cursor := ""
	if before != nil {
		cursor = before.String()
	}
	tokens, err := a.Accounts.Tokens(ctx, visitOf(ctx).who.Account, cursor, in.Limit+1)
	if err != nil {
		return nil, err
	}
	tokens, next := cutPage(tokens, in.Limit, func(t identity.Token) string { return t.ID })
	list := TokenList{Tokens: make([]Token, 0, len(tokens)), NextCursor: next}
	for _, t := range tokens {
		list.Tokens = append(list.Tokens, tokenView(t))
	}
	return &listTokensOutput{list}, nil
}

type tokenInput struct {
	ID string `path:"id" example:"01KAPZQ4M8X3V7N2T5R9W6YB1C" doc:"The token's id."`
}

func (a *api) deleteToken(ctx context.Context, in *tokenInput) (*struct{}, error) {
	who := visitOf(ctx).who
	err := a.Accounts.DeleteToken(ctx, who.Account, in.ID)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, notFound("You have no token with the id "+quoted(in.ID)+".", "GET /api/v1/tokens lists your tokens.")
	}
	if err != nil {
		return nil, err
	}
	a.Log.InfoContext(ctx, "access token revoked", "username", who.Account, "token", in.ID)
	return nil, nil
}

func tokenView(t identity.Token) Token {
	return Token{
		ID:       t.ID,
		Name:     t.Name,
		Hint:     t.Hint,
		Role:     string(t.Role),
		Created:  stamp(t.Created),
		Expires:  stamp(t.Expires),
		LastUsed: stamp(t.LastUsed),
	}
}
